import Database
import Matrix

extension Membership {
    /// The membership as the database has it. Never renumber.
    public var code: Int64 {
        switch self {
        case .leave: 0
        case .join: 1
        case .invite: 2
        case .knock: 3
        case .ban: 4
        }
    }

    /// The membership of that code, or `nil`.
    public init?(code: Int64) {
        guard let membership = Self.allCases.first(where: { $0.code == code }) else { return nil }
        self = membership
    }
}

/// A user's current membership of a room.
public struct MembershipRecord: Sendable {
    /// The room.
    public let room: RoomNumber
    /// The user.
    public let user: UserNumber
    /// The membership.
    public let membership: Membership
    /// The event that says so.
    public let event: EventNumber
    /// When it came about.
    public let position: StreamPosition
    /// Whether the user, having left, wants to hear no more of the room.
    public let isForgotten: Bool
}

/// A change of who is in a room.
public enum MembershipChange: Sendable {
    /// A user's membership is another.
    case user(UserNumber, UserID, room: RoomNumber, Membership, at: StreamPosition)
    /// What is known of the room's members has to be looked up anew.
    case room(RoomNumber)

    /// The room.
    public var room: RoomNumber {
        switch self {
        case .user(_, _, let room, _, _), .room(let room): room
        }
    }
}

/// Look-ups of memberships.
public struct MembershipReader {
    let sql: ReadTransaction

    /// A user's membership of a room, or `nil` if the room has never heard of them.
    public func membership(of user: UserNumber, in room: RoomNumber) throws -> MembershipRecord? {
        try sql.first(
            """
            SELECT room_num, user_num, membership, event_num, position, forgotten FROM memberships
            WHERE room_num = $1 AND user_num = $2
            """, room, user, map: decode
        )
    }

    /// Every room a user has to do with.
    public func rooms(of user: UserNumber) throws -> [MembershipRecord] {
        try sql.all(
            """
            SELECT room_num, user_num, membership, event_num, position, forgotten FROM memberships WHERE user_num = $1
            """, user, map: decode
        )
    }

    /// The rooms a user is joined to.
    public func joinedRooms(of user: UserNumber) throws -> [RoomNumber] {
        try sql.all(
            "SELECT room_num FROM memberships WHERE user_num = $1 AND membership = $2 ORDER BY room_num", user,
            Membership.join.code
        ) { try $0.number(0) }
    }

    /// Whether a user of a server is joined to a room.
    public func hasJoined(from server: ServerName, in room: RoomNumber) throws -> Bool {
        // Names of servers hold none of the characters that LIKE gives a meaning.
        try sql.first(
            """
            SELECT 1 FROM memberships JOIN users ON users.num = memberships.user_num
            WHERE memberships.room_num = $1 AND memberships.membership = 1 AND users.user_id LIKE $2 LIMIT 1
            """, room, "@%:\(server.string)"
        ) { try $0.int(0) } != nil
    }

    /// Since when users of a server have been in rooms without a break, as far as the memberships of now tell: where one of them
    /// changed their name, it may have been longer. Rooms in which none is are left out.
    public func participation(of server: ServerName, in rooms: [RoomNumber]) throws -> [RoomNumber: StreamPosition] {
        var since: [RoomNumber: StreamPosition] = [:]
        try sql.forEach(
            """
            SELECT memberships.room_num, MIN(memberships.position) FROM memberships
            JOIN users ON users.num = memberships.user_num
            WHERE memberships.room_num IN list($1) AND memberships.membership = 1 AND users.server = $2
            GROUP BY memberships.room_num
            """, rooms.sqlList, server
        ) { row in since[try row.number(0)] = try row.number(1, as: StreamPosition.self) }
        return since
    }

    /// The rooms that users are joined to, and since when.
    public func joinedRooms(
        of users: [UserNumber]
    ) throws -> [(user: UserNumber, room: RoomNumber, position: StreamPosition)] {
        try sql.all(
            """
            SELECT user_num, room_num, position FROM memberships WHERE user_num IN list($1) AND membership = 1
            """, users.sqlList
        ) { (user: try $0.number(0), room: try $0.number(1), position: try $0.number(2)) }
    }

    /// Servers whose users are joined to a room: those of the users who came first, `limit` of them at the most.
    public func servers(in room: RoomNumber, limit: Int) throws -> [ServerName] {
        var servers: [ServerName] = []
        try sql.forEach(
            """
            SELECT users.user_id FROM memberships JOIN users ON users.num = memberships.user_num
            WHERE memberships.room_num = $1 AND memberships.membership = 1 ORDER BY memberships.position, users.num
            LIMIT 10000
            """, room
        ) { row in
            let server = try row.identifier(0, as: UserID.self).server
            if servers.count < limit, !servers.contains(server) { servers.append(server) }
        }
        return servers
    }

    /// The memberships of those who are joined to a room and have a pusher.
    public func joinedWithPushers(in room: RoomNumber) throws -> [MembershipRecord] {
        try sql.all(
            """
            SELECT room_num, user_num, membership, event_num, position, forgotten FROM memberships
            WHERE room_num = $1 AND membership = 1
                AND EXISTS (SELECT 1 FROM pushers WHERE pushers.user_num = memberships.user_num)
            ORDER BY user_num
            """, room, map: decode
        )
    }

    /// Who is in a room with that membership.
    public func users(in room: RoomNumber, _ membership: Membership) throws -> [UserNumber] {
        try sql.all(
            "SELECT user_num FROM memberships WHERE room_num = $1 AND membership = $2 ORDER BY user_num", room,
            membership.code
        ) { try $0.number(0) }
    }

    /// Who is in a room with that membership, `limit` of them at the most: those who came first.
    public func users(in room: RoomNumber, _ membership: Membership, limit: Int) throws -> [UserNumber] {
        try sql.all(
            """
            SELECT user_num FROM memberships WHERE room_num = $1 AND membership = $2 ORDER BY position, user_num LIMIT $3
            """, room, membership.code, limit
        ) { try $0.number(0) }
    }

    /// How many users of a server are joined to a room.
    public func joinedCount(of server: ServerName, in room: RoomNumber) throws -> Int {
        try sql.first(
            """
            SELECT COUNT(*) FROM memberships JOIN users ON users.num = memberships.user_num
            WHERE memberships.room_num = $1 AND memberships.membership = 1 AND users.server = $2
            """, room, server
        ) { Int(try $0.int(0)) } ?? 0
    }

    /// How many users have which membership of a room.
    public func counts(in room: RoomNumber) throws -> [Membership: Int] {
        var counts: [Membership: Int] = [:]
        try sql.forEach(
            "SELECT membership, COUNT(*) FROM memberships WHERE room_num = $1 GROUP BY membership", room
        ) { row in
            if let membership = Membership(code: try row.int(0)) { counts[membership] = Int(try row.int(1)) }
        }
        return counts
    }

    /// How many users have which membership of some rooms.
    public func counts(in rooms: [RoomNumber]) throws -> [RoomNumber: [Membership: Int]] {
        var counts: [RoomNumber: [Membership: Int]] = [:]
        try sql.forEach(
            """
            SELECT room_num, membership, COUNT(*) FROM memberships WHERE room_num IN list($1)
            GROUP BY room_num, membership
            """, rooms.sqlList
        ) { row in
            guard let membership = Membership(code: try row.int(1)) else { return }
            counts[try row.number(0), default: [:]][membership] = Int(try row.int(2))
        }
        return counts
    }

    /// Whose membership of one of these rooms came after a position, and what it is.
    public func changed(
        in rooms: [RoomNumber], after position: StreamPosition
    ) throws -> [(user: UserNumber, membership: Membership)] {
        var found: [(user: UserNumber, membership: Membership)] = []
        try sql.forEach(
            "SELECT user_num, membership FROM memberships WHERE room_num IN list($1) AND position > $2", rooms.sqlList,
            position
        ) { row in
            guard let membership = Membership(code: try row.int(1)) else { return }
            found.append((try row.number(0), membership))
        }
        return found
    }

    /// Everyone who is joined to a room that `user` is joined to, `user` included.
    public func usersSharingRooms(with user: UserNumber) throws -> [UserNumber] {
        try sql.all(
            """
            SELECT DISTINCT theirs.user_num FROM memberships AS mine
            JOIN memberships AS theirs ON theirs.room_num = mine.room_num AND theirs.membership = 1
            WHERE mine.user_num = $1 AND mine.membership = 1
            """, user
        ) { try $0.number(0) }
    }

    /// Rooms that two users are joined to, in the order of their numbers.
    public func mutualRooms(
        of user: UserNumber, _ other: UserNumber, after: RoomNumber, limit: Int
    ) throws -> [RoomNumber] {
        try sql.all(
            """
            SELECT mine.room_num FROM memberships AS mine
            JOIN memberships AS theirs ON theirs.room_num = mine.room_num AND theirs.user_num = $2 AND theirs.membership = 1
            WHERE mine.user_num = $1 AND mine.membership = 1 AND mine.room_num > $3 ORDER BY mine.room_num LIMIT $4
            """, user, other, after, limit
        ) { try $0.number(0) }
    }

    /// How many rooms two users are joined to.
    public func mutualRoomCount(of user: UserNumber, _ other: UserNumber) throws -> Int {
        try sql.first(
            """
            SELECT COUNT(*) FROM memberships AS mine
            JOIN memberships AS theirs ON theirs.room_num = mine.room_num AND theirs.user_num = $2 AND theirs.membership = 1
            WHERE mine.user_num = $1 AND mine.membership = 1
            """, user, other
        ) { Int(try $0.int(0)) } ?? 0
    }

    /// Of `users`, those who are joined to a room that `user` is joined to.
    public func sharing(with user: UserNumber, among users: [UserNumber]) throws -> [UserNumber] {
        try sql.all(
            """
            SELECT DISTINCT theirs.user_num FROM memberships AS theirs
            JOIN memberships AS mine ON mine.room_num = theirs.room_num AND mine.user_num = $1 AND mine.membership = 1
            WHERE theirs.user_num IN list($2) AND theirs.membership = 1
            """, user, users.sqlList
        ) { try $0.number(0) }
    }

    private func decode(_ row: Row) throws -> MembershipRecord {
        guard let membership = Membership(code: try row.int(2)) else {
            throw StoreError.inconsistent("unknown membership \(try row.int(2))")
        }
        return MembershipRecord(
            room: try row.number(0), user: try row.number(1), membership: membership, event: try row.number(3),
            position: try row.number(4), isForgotten: try row.bool(5)
        )
    }
}

/// Stores memberships.
public struct MembershipWriter {
    let writer: StoreWriter

    /// Sets a user's membership of a room. Whoever comes back has not forgotten the room any more.
    public func set(
        _ membership: Membership, of user: UserNumber, in room: RoomNumber, event: EventNumber, position: StreamPosition
    ) throws {
        try writer.sql.execute(
            """
            INSERT INTO memberships (room_num, user_num, membership, event_num, position) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (room_num, user_num) DO UPDATE SET membership = excluded.membership, event_num = excluded.event_num,
                position = excluded.position,
                forgotten = CASE WHEN excluded.membership IN (0, 4) THEN memberships.forgotten ELSE 0 END
            """, room, user, membership.code, event, position
        )
        guard writer.store.hasMembershipListeners else { return }
        let id = try writer.read.identifiers.user(user)
        writer.announce(.user(user, id, room: room, membership, at: position))
    }

    /// Removes a user's membership: the room's state has no event about them any more.
    public func remove(of user: UserNumber, in room: RoomNumber) throws {
        try writer.sql.execute("DELETE FROM memberships WHERE room_num = $1 AND user_num = $2", room, user)
        writer.announce(.room(room))
    }

    /// Removes the memberships of a room that no event of its state gives: what users were told while this server was not in it.
    ///
    /// - Parameter events: The events that give the others.
    /// - Returns: Whose memberships those were.
    public func removeAll(in room: RoomNumber, except events: [EventNumber]) throws -> [UserNumber] {
        let users = try writer.sql.all(
            "SELECT user_num FROM memberships WHERE room_num = $1 AND NOT event_num IN list($2) ORDER BY user_num",
            room, events.sqlList
        ) { try $0.number(0, as: UserNumber.self) }
        for user in users { try remove(of: user, in: room) }
        return users
    }

    /// Marks a room as forgotten by a user who is not in it.
    ///
    /// - Returns: Whether there was something to forget.
    public func forget(_ user: UserNumber, in room: RoomNumber) throws -> Bool {
        try writer.sql.executeCounting(
            "UPDATE memberships SET forgotten = 1 WHERE room_num = $1 AND user_num = $2 AND membership IN (0, 4)", room,
            user
        ) > 0
    }
}

extension StoreReader {
    /// Memberships.
    public var memberships: MembershipReader { MembershipReader(sql: sql) }
}

extension StoreWriter {
    /// Memberships.
    public var memberships: MembershipWriter { MembershipWriter(writer: self) }
}
