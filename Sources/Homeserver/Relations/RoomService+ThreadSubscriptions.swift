import Matrix
import Store

/// The threads that users follow.
///
/// [MSC4306](https://github.com/matrix-org/matrix-spec-proposals/pull/4306).
extension RoomService {
    /// Of how many threads a user may have said whether they follow them.
    static let maximumThreadSubscriptions = 50_000

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
        let since = causePosition
        try await store.write { writer in
            let known = try writer.read.threadSubscriptions.subscription(of: user.number, in: thread.room, to: root)
            if let since, let known {
                // What the user has said themselves stands.
                if known.isSubscribed { return }
                guard known.position < since else {
                    throw MatrixError(409, Self.conflictingUnsubscription, "You have left this thread since")
                }
            }
            // A client that says what is so already wakes nobody.
            if let known, known.isSubscribed, !known.isAutomatic { return }
            if known == nil { try Self.checkSpace(for: user.number, writer) }
            try writer.threadSubscriptions.set(
                isSubscribed: true, isAutomatic: cause != nil, of: user.number, in: thread.room, to: root)
        }
    }

    /// Lets a user follow a thread no more.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func unsubscribe(from root: EventID, in room: RoomID, by user: Requester) async throws {
        let thread = try await event(root, in: room, by: user)
        try await store.write { writer in
            if try writer.read.threadSubscriptions.subscription(of: user.number, in: thread.room, to: root) == nil {
                try Self.checkSpace(for: user.number, writer)
            }
            // Said again, too: what would let the user follow the thread by itself must have come after the last time.
            try writer.threadSubscriptions.set(
                isSubscribed: false, isAutomatic: false, of: user.number, in: thread.room, to: root)
        }
    }

    private static func checkSpace(for user: UserNumber, _ writer: StoreWriter) throws {
        guard try writer.read.threadSubscriptions.count(of: user) < maximumThreadSubscriptions else {
            throw MatrixError(400, .resourceLimitExceeded, "An account may follow no more threads")
        }
    }

    /// What a user has said about threads in a stretch of the journal, the latest first.
    ///
    /// - Parameters:
    ///   - after: The stretch's beginning, excluded; the beginning of time if `nil`.
    ///   - through: Its end, included; now if `nil`.
    /// - Returns: It, with the rooms' identifiers, and where what did not fit begins.
    public func threadSubscriptions(
        of user: Requester, after: StreamPosition?, through: StreamPosition?, limit: Int
    ) async throws -> ThreadSubscriptionPage {
        let limit = min(max(limit, 1), ThreadSubscriptionPage.maximumLimit)
        let end = through ?? store.journal.end
        var wishes = try await store.read { reader in
            try reader.threadSubscriptions.changes(
                of: user.number, after: after ?? StreamPosition(0), through: end, limit: limit + 1)
        }
        let isCut = wishes.count > limit
        wishes = Array(wishes.prefix(limit))
        var page = ThreadSubscriptionPage()
        for wish in wishes { page.wishes.append((try await store.room(wish.room), wish)) }
        if isCut, let last = wishes.last {
            page.next = SyncToken(StreamPosition(last.subscription.position.rawValue - 1))
        }
        return page
    }
}
