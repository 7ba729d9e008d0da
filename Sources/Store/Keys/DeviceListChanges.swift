import Database
import Matrix

/// Whose devices and keys a user should look at anew, and whose no longer.
public struct DeviceListDelta: Sendable {
    /// Users whose devices or keys may have changed.
    public var changed: Set<UserNumber>
    /// Users with whom no room is shared any more.
    public var left: Set<UserNumber>

    /// A difference.
    public init(changed: Set<UserNumber> = [], left: Set<UserNumber> = []) {
        self.changed = changed
        self.left = left
    }
}

/// Look-ups of changes to users' devices and keys.
///
/// Only the last change of each user is kept, so what is found has no upper bound: a change that came in between might be hidden
/// behind a later one, and to name a user too early does no harm.
public struct DeviceListReader {
    let sql: ReadTransaction

    /// The users whose devices or keys changed after `position` in the eyes of `viewer`: the viewer's own, and of the others
    /// those who are joined to a room that the viewer is joined to.
    public func changed(for viewer: UserNumber, after position: StreamPosition) throws -> [UserNumber] {
        try sql.all(
            """
            SELECT DISTINCT c.user_num FROM device_list_changes AS c
            WHERE c.viewer_num IN (0, $1) AND c.position > $2 AND (c.user_num = $1 OR EXISTS (
                SELECT 1 FROM memberships AS theirs
                JOIN memberships AS mine ON mine.room_num = theirs.room_num AND mine.user_num = $1
                    AND mine.membership = 1
                WHERE theirs.user_num = c.user_num AND theirs.membership = 1
            )) ORDER BY c.user_num
            """, viewer, position
        ) { try $0.number(0) }
    }

    /// When a user's devices or keys last changed in the eyes of everyone; `nil` for never.
    public func lastChange(of user: UserNumber) throws -> StreamPosition? {
        try sql.first("SELECT position FROM device_list_changes WHERE user_num = $1 AND viewer_num = 0", user) {
            try $0.number(0)
        }
    }

    /// Every user whose devices or keys changed after `position` in the eyes of everyone.
    public func changed(after position: StreamPosition) throws -> [(user: UserNumber, position: StreamPosition)] {
        try sql.all(
            """
            SELECT user_num, position FROM device_list_changes WHERE viewer_num = 0 AND position > $1 ORDER BY position
            """, position
        ) { (user: try $0.number(0), position: try $0.number(1)) }
    }

    /// What a user who has heard of everything up to `position` must know: changed devices and keys, users who share a room now
    /// and may not have then, and those who share none any more but may have.
    ///
    /// Whether they shared one then is not looked up: who only changed their display name may be named as well.
    public func delta(for viewer: UserNumber, after position: StreamPosition) throws -> DeviceListDelta {
        var delta = DeviceListDelta(changed: Set(try changed(for: viewer, after: position)))
        // Those who joined rooms that the viewer is in, and those in rooms that the viewer joined.
        let met: [UserNumber] = try sql.all(
            """
            SELECT DISTINCT theirs.user_num FROM memberships AS mine
            JOIN memberships AS theirs ON theirs.room_num = mine.room_num AND theirs.membership = 1
            WHERE mine.user_num = $1 AND mine.membership = 1 AND (mine.position > $2 OR theirs.position > $2)
                AND theirs.user_num <> $1
            """, viewer, position
        ) { try $0.number(0) }
        delta.changed.formUnion(met)
        // Those who left rooms that the viewer is or was in, and those in rooms that the viewer left.
        let parted: [UserNumber] = try sql.all(
            """
            SELECT DISTINCT theirs.user_num FROM memberships AS mine
            JOIN memberships AS theirs ON theirs.room_num = mine.room_num
            WHERE mine.user_num = $1 AND theirs.user_num <> $1
                AND mine.membership IN (0, 1, 4) AND theirs.membership IN (0, 1, 4)
                AND ((mine.membership <> 1 AND mine.position > $2) OR (theirs.membership <> 1 AND theirs.position > $2))
            """, viewer, position
        ) { try $0.number(0) }
        let together = Set(try MembershipReader(sql: sql).sharing(with: viewer, among: parted))
        delta.left = Set(parted).subtracting(together)
        return delta
    }
}

extension StoreReader {
    /// Changes to users' devices and keys.
    public var deviceLists: DeviceListReader { DeviceListReader(sql: sql) }
}
