import Database
import Matrix

/// What a user wants to hear of a thread.
public struct ThreadSubscription: Sendable, Hashable {
    /// Whether the user follows it; else they have said that they do not.
    public let isSubscribed: Bool
    /// Whether their client has let them follow it, and not they themselves.
    public let isAutomatic: Bool
    /// Where the journal was then.
    public let position: StreamPosition

    /// A wish.
    public init(isSubscribed: Bool, isAutomatic: Bool, position: StreamPosition) {
        self.isSubscribed = isSubscribed
        self.isAutomatic = isAutomatic
        self.position = position
    }
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
        ) {
            ThreadSubscription(
                isSubscribed: try $0.bool(0), isAutomatic: try $0.bool(1), position: try $0.number(2))
        }
    }
}

/// Stores the threads that users follow.
public struct ThreadSubscriptionWriter {
    let writer: StoreWriter

    /// Notes what a user wants to hear of a thread.
    public func set(
        _ subscription: ThreadSubscription, of user: UserNumber, in room: RoomNumber, to root: EventID
    ) throws {
        try writer.sql.execute(
            """
            INSERT INTO thread_subscriptions (user_num, room_num, root_id, is_subscribed, is_automatic, position)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (user_num, room_num, root_id) DO UPDATE SET is_subscribed = excluded.is_subscribed,
                is_automatic = excluded.is_automatic, position = excluded.position
            """, user, room, root, subscription.isSubscribed, subscription.isAutomatic, subscription.position)
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
