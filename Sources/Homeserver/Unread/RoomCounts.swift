import Matrix

/// What a user has not read in a room.
///
/// [Receiving notifications](https://spec.matrix.org/v1.19/client-server-api/#receiving-notifications).
public struct RoomCounts: Sendable, Equatable {
    /// What is unread in one thread.
    public struct Thread: Sendable, Equatable {
        /// The events that notify.
        public var notification: Int
        /// Those of them that are highlighted.
        public var highlight: Int

        /// A count.
        public init(notification: Int = 0, highlight: Int = 0) {
            self.notification = notification
            self.highlight = highlight
        }
    }

    /// In the main timeline.
    public var main = Thread()
    /// In each thread that has something unread, by its root.
    public var threads: [EventID: Thread] = [:]

    /// Nothing is unread.
    public init() {}

    /// In all of the room: what clients are told that do not ask for threads.
    public var total: Thread {
        threads.values.reduce(into: main) { total, thread in
            total.notification += thread.notification
            total.highlight += thread.highlight
        }
    }
}
