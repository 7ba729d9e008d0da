import Database
import Matrix

/// Which pusher is meant.
public struct PusherKey: Sendable, Hashable {
    /// Whose notifications.
    public let user: UserNumber
    /// The application, as the push gateway knows it.
    public let appID: ExactString
    /// The application's installation, as the push gateway knows it.
    public let pushKey: ExactString

    /// A key.
    public init(user: UserNumber, appID: String, pushKey: String) {
        self.user = user
        self.appID = ExactString(appID)
        self.pushKey = ExactString(pushKey)
    }
}

/// Something that a push gateway is to be told.
public struct PendingPush: Sendable, Hashable {
    /// The journal entry that it is because of.
    public let position: StreamPosition
    /// The event; `nil` where only the number of what is unread is to be told.
    public let event: EventNumber?
    /// What the user's rules said of the event: the text of a JSON array.
    public let actions: [UInt8]
    /// Since when it waits, in milliseconds since 1970.
    public let addedTimestamp: Int64

    /// Something to be told.
    public init(position: StreamPosition, event: EventNumber?, actions: [UInt8], addedTimestamp: Int64) {
        self.position = position
        self.event = event
        self.actions = actions
        self.addedTimestamp = addedTimestamp
    }
}

/// Look-ups of what push gateways are to be told.
public struct PendingPushReader {
    let sql: ReadTransaction

    /// What a pusher has to tell, the oldest first.
    public func pushes(of key: PusherKey, limit: Int) throws -> [PendingPush] {
        try sql.all(
            """
            SELECT position, event_num, actions, added_ts FROM pending_pushes
            WHERE user_num = $1 AND app_id = $2 AND push_key = $3 ORDER BY position LIMIT $4
            """, key.user, key.appID, key.pushKey, limit
        ) { row in
            PendingPush(
                position: try row.number(0), event: try row.numberOrNil(1), actions: Array(try row.text(2).utf8),
                addedTimestamp: try row.int(3))
        }
    }

    /// The pushers that have something to tell to a gateway, with their `data`: those of some users, or of all.
    public func waiting(of users: [UserNumber]? = nil) throws -> [(key: PusherKey, data: [UInt8])] {
        func decode(_ row: Row) throws -> (key: PusherKey, data: [UInt8]) {
            (
                key: PusherKey(user: try row.number(0), appID: try row.text(1), pushKey: try row.text(2)),
                data: Array(try row.text(3).utf8)
            )
        }
        if let users { return try sql.all(Self.waitingOfUsers, users.sqlList, map: decode) }
        return try sql.all(Self.waiting, map: decode)
    }

    private static let found = """
        SELECT user_num, app_id, push_key, data FROM pushers WHERE kind = 'http' AND EXISTS (
            SELECT 1 FROM pending_pushes WHERE pending_pushes.user_num = pushers.user_num
                AND pending_pushes.app_id = pushers.app_id AND pending_pushes.push_key = pushers.push_key)
        """
    private static let waiting = SQL("\(found) ORDER BY user_num, app_id, push_key")
    private static let waitingOfUsers = SQL("\(found) AND user_num IN list($1) ORDER BY user_num, app_id, push_key")
}

/// Stores what push gateways are to be told.
public struct PendingPushWriter {
    let writer: StoreWriter

    /// Has all of a user's pushers tell something, except those that were made after it happened.
    ///
    /// - Parameter happened: When, in milliseconds since 1970.
    public func add(_ push: PendingPush, of user: UserNumber, happened: Int64) throws {
        try writer.sql.execute(
            """
            INSERT INTO pending_pushes (user_num, app_id, push_key, position, event_num, actions, added_ts)
            SELECT user_num, app_id, push_key, $2, $3, $4, $5 FROM pushers WHERE user_num = $1 AND created_ts <= $6
            ON CONFLICT (user_num, app_id, push_key, position) DO NOTHING
            """, user, push.position, push.event, String(decoding: push.actions, as: UTF8.self), push.addedTimestamp,
            happened)
    }

    /// Forgets the oldest of what a user's pushers have to tell, so that each has no more than `limit`.
    public func trim(_ user: UserNumber, to limit: Int) throws {
        try writer.sql.execute(
            """
            DELETE FROM pending_pushes WHERE user_num = $1 AND position <= (
                SELECT newer.position FROM pending_pushes AS newer WHERE newer.user_num = pending_pushes.user_num
                    AND newer.app_id = pending_pushes.app_id AND newer.push_key = pending_pushes.push_key
                ORDER BY newer.position DESC LIMIT 1 OFFSET $2)
            """, user, limit)
    }

    /// Removes what a pusher has told, or need not tell: everything up to a position.
    public func remove(of key: PusherKey, through position: StreamPosition) throws {
        try writer.sql.execute(
            "DELETE FROM pending_pushes WHERE user_num = $1 AND app_id = $2 AND push_key = $3 AND position <= $4",
            key.user, key.appID, key.pushKey, position)
    }
}

extension StoreReader {
    /// What push gateways are to be told.
    public var pendingPushes: PendingPushReader { PendingPushReader(sql: sql) }
}

extension StoreWriter {
    /// What push gateways are to be told.
    public var pendingPushes: PendingPushWriter { PendingPushWriter(writer: self) }
}
