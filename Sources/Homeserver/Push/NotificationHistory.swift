import Matrix
import RoomEngine
import Store

/// Tells a user what they have been notified of: worked out anew from their rules and receipts of now, so that nothing is kept for it.
///
/// [GET /notifications](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3notifications)
public struct NotificationHistory: Sendable {
    private let store: Store
    private let judges: RuleJudges
    private let activeUsers: ActiveUsers

    /// Events looked at in one request, and at once.
    private static let maximumEvents = 10_000
    private static let eventsAtOnce = 500
    /// Entries of the journal that are passed over at once, of other rooms and of other kinds.
    private static let entriesAtOnce: Int64 = 20_000
    private static let maximumSteps = 50
    private static let maximumLimit = 100

    /// - Parameter judges: Applies push rules.
    public init(store: Store, judges: RuleJudges, activeUsers: ActiveUsers) {
        self.store = store
        self.judges = judges
        self.activeUsers = activeUsers
    }

    /// Something that a user has been notified of.
    public struct Entry: Sendable {
        /// The event.
        public let event: StoredEvent
        /// What was to be done.
        public let actions: [JSONValue]
        /// Whether the user has read it.
        public let isRead: Bool
    }

    /// A page of what a user has been notified of, the latest first.
    ///
    /// - Parameters:
    ///   - from: Where the page before ended; at the end if `nil`.
    ///   - onlyHighlights: Whether only what stands out is wanted.
    /// - Returns: It, and where the next page begins.
    public func page(
        of user: Requester, from: SyncToken?, limit: Int, onlyHighlights: Bool
    ) async throws -> (entries: [Entry], next: SyncToken?) {
        let limit = min(max(limit, 1), Self.maximumLimit)
        let rooms = try await activeUsers.rooms(of: user.number).joined
        var desks: [RoomNumber: Desk] = [:]
        var found: [Entry] = []
        // The last place that has been looked at is that of the token.
        var before = StreamPosition((from?.position ?? store.journal.end).rawValue + 1)
        var left = Self.maximumEvents
        guard !rooms.isEmpty else { return ([], nil) }
        for _ in 0..<Self.maximumSteps where left > 0 && before.rawValue > 1 {
            let end = before
            let floor = StreamPosition(max(0, end.rawValue - Self.entriesAtOnce))
            let events = try await store.read { reader in
                let numbers = try reader.journal.events(
                    in: rooms, after: floor, before: end, limit: Self.eventsAtOnce)
                let found = Dictionary(
                    uniqueKeysWithValues: try reader.events.events(numbers).map { ($0.number, $0) })
                return numbers.compactMap { found[$0] }
            }
            for event in events {
                guard let position = event.position else { continue }
                before = position
                left -= 1
                guard event.sender != user.number, event.redactedBy == nil, event.status == .accepted else { continue }
                if desks[event.room] == nil { desks[event.room] = try await desk(user, event.room) }
                guard let entry = try await desks[event.room]?.entry(event, store), let actions = entry.actions,
                    !onlyHighlights || entry.highlights
                else { continue }
                found.append(Entry(event: event, actions: actions.map(\.json), isRead: entry.isRead))
                if found.count == limit { return (found, SyncToken(StreamPosition(before.rawValue - 1))) }
            }
            if events.count < Self.eventsAtOnce { before = StreamPosition(floor.rawValue + 1) }
        }
        return (found, before.rawValue > 1 ? SyncToken(StreamPosition(before.rawValue - 1)) : nil)
    }

    private func desk(_ user: Requester, _ room: RoomNumber) async throws -> Desk {
        let judge = try await judges.outcomeJudge(for: user.number, in: room)
        return try await store.read { reader in
            var desk = Desk(judge: judge)
            if let membership = try reader.memberships.membership(of: user.number, in: room) {
                desk.beginning = try UnreadCounts.joined(membership, reader)
            }
            for stored in try reader.receipts.receipts(of: user.number, in: room) {
                guard let position = stored.receipt.eventPosition, stored.receipt.type != "m.fully_read" else {
                    continue
                }
                let thread = stored.receipt.thread.map { ExactString($0) }
                desk.read[thread] = max(desk.read[thread] ?? position, position)
            }
            return desk
        }
    }

    /// What is needed to tell of one room's events whether they notified.
    private struct Desk: Sendable {
        let judge: RuleJudges.OutcomeJudge
        /// Where the user came in.
        var beginning = StreamPosition(.max)
        /// How far the user has read: of each thread, and of the whole room.
        var read: [ExactString?: StreamPosition] = [:]

        func entry(
            _ event: StoredEvent, _ store: Store
        ) async throws -> (actions: [PushAction]?, highlights: Bool, isRead: Bool)? {
            guard let position = event.position, position > beginning else { return nil }
            let outcome = judge.outcome(of: event.event)
            guard outcome.notifies else { return nil }
            var isRead = read[.none].map { position <= $0 } ?? false
            if !isRead, read.count > (read[.none] == nil ? 0 : 1) {
                let thread = try await store.read { try Threads.thread(of: event.event, in: $0) }
                isRead = read[thread].map { position <= $0 } ?? false
            }
            return (outcome.actions, outcome.highlights, isRead)
        }
    }
}
