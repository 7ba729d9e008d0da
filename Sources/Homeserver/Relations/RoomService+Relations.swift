import Matrix
import Store

/// Which of the events that relate to one are wanted.
public struct RelationsQuery: Sendable {
    /// The room.
    public var room: RoomID
    /// The event.
    public var event: EventID
    /// The `rel_type` wanted; all if `nil`.
    public var relationType: ExactString?
    /// The type of event wanted; all if `nil`.
    public var eventType: EventType?
    /// Where to begin; at the end of the timeline (or its beginning, going forward) if `nil`.
    public var from: SyncToken?
    /// Where to stop.
    public var to: SyncToken?
    /// Toward the past.
    public var isBackward: Bool
    /// How many events.
    public var limit: Int
    /// Whether events that relate to it over others are wanted too.
    public var isRecursive: Bool

    /// A query.
    public init(
        room: RoomID, event: EventID, relationType: ExactString? = nil, eventType: EventType? = nil,
        from: SyncToken? = nil, to: SyncToken? = nil, isBackward: Bool = true, limit: Int, isRecursive: Bool = false
    ) {
        self.room = room
        self.event = event
        self.relationType = relationType
        self.eventType = eventType
        self.from = from
        self.to = to
        self.isBackward = isBackward
        self.limit = limit
        self.isRecursive = isRecursive
    }
}

/// A page of events that relate to one.
public struct RelationsPage: Sendable {
    /// The events, in the order asked for.
    public let events: [StoredEvent]
    /// Where the next page begins; `nil` if there is none.
    public let next: SyncToken?
    /// Over how many relations at the most events were looked for.
    public let depth: Int
}

/// A page of a room's threads.
public struct ThreadsPage: Sendable {
    /// The events that threads begin with, those with the latest events first.
    public let roots: [StoredEvent]
    /// Where the next page begins; `nil` if there is none.
    public let next: SyncToken?
}

extension RoomService {
    private static let maximumPage = 100
    /// Pages looked at for one answer, where much is not to be shown.
    private static let maximumRounds = 10
    private static let recursionDepth = 4

    /// The events that relate to one, as far as a user may see them and does not ignore their senders.
    ///
    /// [GET /relations](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidrelationseventid)
    ///
    /// - Throws: 404 `M_NOT_FOUND`, also if the user may not see the event.
    public func relations(_ query: RelationsQuery, by user: Requester) async throws -> RelationsPage {
        let parent = try await event(query.event, in: query.room, by: user)
        let end = store.journal.end
        let selection = RelationSelection(
            target: query.event, room: parent.room, relationType: query.relationType, eventType: query.eventType,
            depth: query.isRecursive ? Self.recursionDepth : 1)
        let limit = min(max(query.limit, 1), Self.maximumPage)
        var after = (query.isBackward ? query.to : query.from)?.position ?? StreamPosition(.min)
        var through = min((query.isBackward ? query.from : query.to)?.position ?? end, end)
        var found: [StoredEvent] = []
        var isExhausted = false
        for _ in 0..<Self.maximumRounds where found.count < limit && !isExhausted {
            let (first, last) = (after, through)
            let page = try await store.read {
                try $0.relations.events(
                    selection, after: first, through: last, limit: limit, newestFirst: query.isBackward)
            }
            isExhausted = page.count < limit
            let shown = try await shown(page.map(\.event), in: parent.room, to: user)
            let wanted = limit - found.count
            found += shown.prefix(wanted)
            let cut = shown.count > wanted ? found.last?.position : nil
            if cut != nil { isExhausted = false }
            guard let reached = cut ?? page.last?.position else { break }
            if query.isBackward { through = StreamPosition(reached.rawValue - 1) } else { after = reached }
        }
        return RelationsPage(
            events: found, next: isExhausted ? nil : SyncToken(query.isBackward ? through : after),
            depth: selection.depth)
    }

    /// Those of the events that a user may see and whose senders are not ignored, in the same order.
    private func shown(_ numbers: [EventNumber], in room: RoomNumber, to user: Requester) async throws -> [StoredEvent]
    {
        let events = try await store.events(numbers)
        let ignored = try await store.read { try IgnoredUsers.load(user.number, $0) }
        let wanted = numbers.compactMap { events[$0] }.filter { $0.status == .accepted }
            .filter { $0.event.isState || !ignored.contains($0.event.sender) }
        return try await EventVisibility(store: store).visible(wanted, in: room, to: user.number, id: user.id)
    }

    /// The threads of a room.
    ///
    /// [GET /threads](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidthreads)
    ///
    /// - Parameters:
    ///   - participated: Whether only those are wanted in which the user has taken part.
    ///   - from: Where the page before ended.
    /// - Throws: 403 `M_FORBIDDEN`.
    public func threads(
        of id: RoomID, participated: Bool, from: SyncToken?, limit: Int, by user: Requester
    ) async throws -> ThreadsPage {
        guard let room = try await store.number(of: id) else { throw MatrixError.forbidden("You are not in this room") }
        _ = try await readableEnd(room, by: user)
        let limit = min(max(limit, 1), Self.maximumPage)
        let ignored = try await store.read { try IgnoredUsers.load(user.number, $0) }
        var before = from?.position ?? StreamPosition(.max)
        var roots: [StoredEvent] = []
        for _ in 0..<Self.maximumRounds {
            let start = before
            let page = try await store.read { reader in
                try reader.relations.threads(
                    in: room, before: start, limit: limit, participant: participated ? user.number : nil)
            }
            let events = try await store.events(page.map(\.root))
            let known = page.compactMap { events[$0.root] }.filter {
                $0.room == room && $0.status == .accepted && $0.event.relation == nil
            }
            let seen = try await EventVisibility(store: store).visible(known, in: room, to: user.number, id: user.id)
            let byID = Dictionary(uniqueKeysWithValues: seen.map { ($0.event.eventID, $0) })
            for (root, last) in page {
                before = last
                guard let event = byID[root] else { continue }
                // A thread is one of all who take part in it, whoever began it.
                let isHidden = ignored.contains(event.event.sender) && !event.event.isState
                roots.append(isHidden ? event.showing(try event.event.redacted()) : event)
                if roots.count == limit { return ThreadsPage(roots: roots, next: SyncToken(before)) }
            }
            if page.count < limit { return ThreadsPage(roots: roots, next: nil) }
        }
        return ThreadsPage(roots: roots, next: SyncToken(before))
    }

    /// Refuses an event that relates to another as it must not.
    ///
    /// - Parameter view: The room on which the event is going to be put: with what has been decided just before.
    /// - Throws: 400 `M_UNKNOWN`, `M_DUPLICATE_ANNOTATION`.
    func checkRelation(_ relation: Relation, of draft: EventDraft, _ view: RoomView) async throws {
        let room = view.head.number
        if relation.type == Relation.annotation {
            guard try await !isAnnotated(relation, by: draft, view) else {
                throw MatrixError(400, .duplicateAnnotation, "You have annotated this event in the same way before")
            }
        }
        let pending = view.pending.values.first { $0.event.eventID == relation.target }
        guard let target = try await pending.asyncOr({ try await store.event(relation.target) }) else { return }
        guard target.room == room else {
            throw MatrixError(400, .unknown, "An event can only relate to one of the same room")
        }
        if relation.type == Relation.thread, target.event.relation != nil {
            throw MatrixError(400, .unknown, "Cannot start threads from an event with a relation")
        }
    }

    /// Whether the sender has annotated the event in that way, other than by sending this very event before.
    private func isAnnotated(_ relation: Relation, by draft: EventDraft, _ view: RoomView) async throws -> Bool {
        guard let key = relation.key else { return false }
        let decided = view.pending.values.contains { other in
            other.event.type == draft.type && other.event.sender == draft.sender && other.event.relation == relation
                && !isSame(other, draft)
        }
        if decided { return true }
        guard let sender = try await store.number(of: draft.sender) else { return false }
        let room = view.head.number
        let known = try await store.read { reader in
            try reader.relations.annotation(of: relation.target, in: room, by: sender, type: draft.type, key: key)
        }
        guard let known, let event = try await store.event(known) else { return false }
        return !isSame(event, draft)
    }

    /// Whether a client sends again what it does not know to have been sent.
    private func isSame(_ event: StoredEvent, _ draft: EventDraft) -> Bool {
        draft.transaction != nil && event.transaction == draft.transaction
    }
}

extension Optional {
    fileprivate func asyncOr(_ other: () async throws -> Wrapped?) async rethrows -> Wrapped? {
        if let self { return self }
        return try await other()
    }
}
