import Matrix
import Store

/// The threads that users follow.
///
/// [MSC4306](https://github.com/matrix-org/matrix-spec-proposals/pull/4306). Push rules do not look at it yet.
extension RoomService {
    private static let notInThread: ErrorCode = "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD"
    private static let conflictingUnsubscription: ErrorCode = "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION"

    /// Whether a user's client has let them follow a thread, or they themselves.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if they do not follow it, or may not see it.
    public func isSubscribedAutomatically(to root: EventID, in room: RoomID, by user: Requester) async throws -> Bool {
        let thread = try await event(root, in: room, by: user)
        let found = try await store.read {
            try $0.threadSubscriptions.subscription(of: user.number, in: thread.room, to: root)
        }
        guard let found, found.isSubscribed else { throw MatrixError.notFound("You do not follow this thread") }
        return found.isAutomatic
    }

    /// Lets a user follow a thread.
    ///
    /// - Parameter cause: The event of the thread for which their client lets them follow it; `nil` if they want it themselves.
    /// - Throws: 404 `M_NOT_FOUND`; 400 if the cause is not in the thread; 409 if the user has said after it that they do not want to follow
    ///   the thread.
    public func subscribe(to root: EventID, in room: RoomID, because cause: EventID?, by user: Requester) async throws {
        let thread = try await event(root, in: room, by: user)
        var causePosition: StreamPosition?
        if let cause {
            let event = try await event(cause, in: room, by: user)
            guard event.event.relation.map({ $0.type == Relation.thread && $0.target == root }) == true else {
                throw MatrixError(400, Self.notInThread, "That event is not in this thread")
            }
            causePosition = event.position
        }
        let (now, since) = (store.journal.end, causePosition)
        try await store.write { writer in
            let known = try writer.read.threadSubscriptions.subscription(of: user.number, in: thread.room, to: root)
            if let since, let known {
                // What the user has said themselves stands.
                if known.isSubscribed { return }
                guard known.position < since else {
                    throw MatrixError(409, Self.conflictingUnsubscription, "You have left this thread since")
                }
            }
            try writer.threadSubscriptions.set(
                ThreadSubscription(isSubscribed: true, isAutomatic: cause != nil, position: now), of: user.number,
                in: thread.room, to: root)
        }
    }

    /// Lets a user follow a thread no more.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func unsubscribe(from root: EventID, in room: RoomID, by user: Requester) async throws {
        let thread = try await event(root, in: room, by: user)
        let now = store.journal.end
        try await store.write { writer in
            try writer.threadSubscriptions.set(
                ThreadSubscription(isSubscribed: false, isAutomatic: false, position: now), of: user.number,
                in: thread.room, to: root)
        }
    }
}
