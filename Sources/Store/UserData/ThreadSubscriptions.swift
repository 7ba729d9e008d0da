import Database
import Matrix

/// What a user wants to hear of a thread.
public struct ThreadSubscription: Sendable, Hashable {
    /// Whether the user follows it; else they have said that they do not.
    public let isSubscribed: Bool
    /// Whether their client has let them follow it, and not they themselves.
    public let isAutomatic: Bool
    /// Where the journal was when they said so, and tells of it.
    public let position: StreamPosition

    /// A wish.
    public init(isSubscribed: Bool, isAutomatic: Bool, position: StreamPosition) {
        self.isSubscribed = isSubscribed
        self.isAutomatic = isAutomatic
        self.position = position
    }
}

/// What a user wants to hear of a thread of which it is said which it is.
public struct ThreadWish: Sendable, Hashable {
    /// The room.
    public let room: RoomNumber
    /// The event that the thread begins with.
    public let root: EventID
    /// What the user wants.
    public let subscription: ThreadSubscription
}

/// Look-ups of the threads that users follow.
public struct ThreadSubscriptionReader {
    let sql: ReadTransaction

    /// What a user wants to hear of a thread; `nil` if they have not said.
    public func subscription(of user: UserNumber, in room: RoomNumber, to root: EventID) throws -> ThreadSubscription? {
        try sql.first(
            """
            SELECT is_subscribed, is_automatic, position FROM thread_subscriptions
            WHERE user_num = $1 AND room_num = $2 AND root_id = $3
            """, user, room, root
        ) { try Self.subscription($0, from: 0) }
    }

    /// The roots of the threads of a room that a user follows.
    public func followed(by user: UserNumber, in room: RoomNumber) throws -> Set<EventID> {
        Set(
            try sql.all(
                """
                SELECT root_id FROM thread_subscriptions WHERE user_num = $1 AND room_num = $2 AND is_subscribed = 1
                """, user, room
            ) { try $0.identifier(0) })
    }

    /// Of how many threads a user has said whether they follow them.
    public func count(of user: UserNumber) throws -> Int {
        try sql.first("SELECT COUNT(*) FROM thread_subscriptions WHERE user_num = $1", user) { Int(try $0.int(0)) } ?? 0
    }

    /// What a user has said in a stretch of the journal, the latest first.
    ///
    /// - Parameters:
    ///   - after: The stretch's beginning, excluded.
    ///   - through: Its end, included.
    public func changes(
        of user: UserNumber, after: StreamPosition, through: StreamPosition, limit: Int
    ) throws -> [ThreadWish] {
        try sql.all(
            """
            SELECT room_num, root_id, is_subscribed, is_automatic, position FROM thread_subscriptions
            WHERE user_num = $1 AND position > $2 AND position <= $3 ORDER BY position DESC, root_id LIMIT $4
            """, user, after, through, limit
        ) {
            ThreadWish(
                room: try $0.number(0), root: try $0.identifier(1), subscription: try Self.subscription($0, from: 2))
        }
    }

    private static func subscription(_ row: Row, from column: Int) throws -> ThreadSubscription {
        ThreadSubscription(
            isSubscribed: try row.bool(column), isAutomatic: try row.bool(column + 1),
            position: try row.number(column + 2))
    }
}

/// Stores the threads that users follow.
public struct ThreadSubscriptionWriter {
    let writer: StoreWriter

    /// Notes what a user wants to hear of a thread, and announces it.
    public func set(
        isSubscribed: Bool, isAutomatic: Bool, of user: UserNumber, in room: RoomNumber, to root: EventID
    ) throws {
        let position = try writer.journal.append(.threadSubscription(of: user, in: room, root: root))
        try writer.sql.execute(
            """
            INSERT INTO thread_subscriptions (user_num, room_num, root_id, is_subscribed, is_automatic, position)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (user_num, room_num, root_id) DO UPDATE SET is_subscribed = excluded.is_subscribed,
                is_automatic = excluded.is_automatic, position = excluded.position
            """, user, room, root, isSubscribed, isAutomatic, position)
    }
}

extension StoreReader {
    /// The threads that users follow.
    public var threadSubscriptions: ThreadSubscriptionReader { ThreadSubscriptionReader(sql: sql) }
}

extension StoreWriter {
    /// The threads that users follow.
    public var threadSubscriptions: ThreadSubscriptionWriter { ThreadSubscriptionWriter(writer: self) }
}
