import Matrix
import RoomEngine
import Store

/// A page of a room's history.
public struct HistoryPage: Sendable {
    /// The events, in the order asked for.
    public let events: [StoredEvent]
    /// Where the page begins.
    public let start: SyncToken
    /// Where the next page begins; `nil` if there is none.
    public let end: SyncToken?
    /// With lazy loading: the memberships of the page's senders.
    public let state: [StoredEvent]
}

/// An event and what surrounds it.
public struct EventContext: Sendable {
    /// The event.
    public let event: StoredEvent
    /// What came before, newest first.
    public let before: [StoredEvent]
    /// What came after, oldest first.
    public let after: [StoredEvent]
    /// Where history before this begins.
    public let start: SyncToken
    /// Where history after this begins.
    public let end: SyncToken
    /// The state after the last of the events.
    public let state: [StoredEvent]
}

extension RoomService {
    private var visibility: EventVisibility { EventVisibility(store: store) }

    /// The state of a room as far as a user may see it: the current one of those who are in it, the one at their departure for
    /// those who have left, and the current one for everybody where everybody may read. Who is banned has no part in the room any more,
    /// and is left what was said before.
    ///
    /// - Throws: 403 `M_FORBIDDEN`.
    func readableState(_ room: RoomNumber, by user: Requester) async throws -> StateMap {
        let view = try await view(room)
        let record = try await store.read { try $0.memberships.membership(of: user.number, in: room) }
        if record?.membership == .join { return view.head.state }
        if let record, record.membership == .leave, !record.isForgotten,
            let left = try await store.event(record.event), try await wasIn(left), let state = left.timelineState
        {
            return try await store.state(state)
        }
        if HistoryVisibility(of: try await view.event(StateKey(.historyVisibility))?.event) == .worldReadable {
            return view.head.state
        }
        throw MatrixError.forbidden("You are not in this room")
    }

    /// Whether a departure ended a stay, and did not just decline an invitation.
    private func wasIn(_ leave: StoredEvent) async throws -> Bool {
        guard let before = try await leave.replaces.asyncMap({ try await store.event($0) }) ?? nil else { return false }
        return Membership(of: before.event) == .join
    }

    /// The state's event of that key.
    ///
    /// [GET /rooms/{roomId}/state](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey)
    public func stateEvent(_ key: StateKey, in room: RoomID, by user: Requester) async throws -> StoredEvent {
        let state = try await readableState(try await number(of: room), by: user)
        guard let number = try await store.number(of: key), let event = state[number],
            let stored = try await store.event(event)
        else { throw MatrixError.notFound("The room has no such state") }
        return stored
    }

    /// Every event of the state.
    ///
    /// [GET /rooms/{roomId}/state](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidstate)
    public func state(of room: RoomID, by user: Requester) async throws -> [StoredEvent] {
        let number = try await number(of: room)
        try await awaitCompletion(of: number)
        let state = try await readableState(number, by: user)
        return try await store.events(state.map(\.value)).values.sorted { $0.number < $1.number }
    }

    /// The memberships of a room.
    ///
    /// [GET /rooms/{roomId}/members](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmembers)
    ///
    /// - Parameters:
    ///   - at: As they were at that time; now if `nil`.
    ///   - included: Only these memberships, if not `nil`.
    ///   - excluded: Not this membership.
    public func members(
        of room: RoomID, at: SyncToken?, included: Membership?, excluded: Membership?, by user: Requester
    ) async throws -> [StoredEvent] {
        let number = try await number(of: room)
        try await awaitCompletion(of: number)
        var state = try await readableState(number, by: user)
        if let at {
            let past = try await store.read { try $0.events.roomState(of: number, at: at.position) }
            if let past { state = try await store.state(past) }
        }
        let keys = state.map { ($0.key, $0.value) }
        let members = try await store.read { reader in
            try keys.filter { try reader.identifiers.stateKey($0.0).type == .member }.map(\.1)
        }
        return try await store.events(members).values.filter { event in
            let membership = Membership(of: event.event)
            return (included == nil || membership == included) && (excluded == nil || membership != excluded)
        }.sorted { $0.number < $1.number }
    }

    /// Who is joined, with name and picture.
    ///
    /// [GET /rooms/{roomId}/joined_members](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidjoined_members)
    public func joinedMembers(of room: RoomID, by user: Requester) async throws -> [StoredEvent] {
        let number = try await number(of: room)
        guard try await view(number).membership(of: user.id) == .join else {
            throw MatrixError.forbidden("You are not in this room")
        }
        return try await members(of: room, at: nil, included: .join, excluded: nil, by: user)
    }

    /// One event.
    ///
    /// [GET /rooms/{roomId}/event](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomideventeventid)
    ///
    /// - Throws: 404 `M_NOT_FOUND`, also if the user may not see it.
    public func event(_ id: EventID, in room: RoomID, by user: Requester) async throws -> StoredEvent {
        let number = try await number(of: room)
        guard let event = try await store.event(id), event.room == number, event.status == .accepted,
            let seen = try await visibility.visible([event], in: number, to: user.number, id: user.id).first
        else { throw MatrixError.notFound("There is no such event, or you may not see it") }
        return seen
    }

    /// One event, of whatever room.
    ///
    /// - Throws: 404 `M_NOT_FOUND`, also if the user may not see it.
    public func event(_ id: EventID, by user: Requester) async throws -> StoredEvent {
        guard let found = try await store.event(id) else { throw MatrixError.notFound("There is no such event") }
        return try await event(id, in: found.event.roomID, by: user)
    }

    /// A page of history.
    ///
    /// [GET /rooms/{roomId}/messages](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmessages)
    ///
    /// - Parameters:
    ///   - from: Where to begin; at the end of the timeline (or its beginning, going forward) if `nil`.
    ///   - to: Where to stop.
    ///   - backward: Toward the past.
    ///   - limit: How many events, before the filter.
    public func messages(
        _ room: RoomID, from: SyncToken?, to: SyncToken?, backward: Bool, limit: Int, filter: RoomEventFilter,
        by user: Requester
    ) async throws -> HistoryPage {
        let number = try await number(of: room)
        let ceiling = try await readableEnd(number, by: user)
        let start = from ?? SyncToken(backward ? ceiling : StreamPosition(.min))
        let bounds: (after: StreamPosition, through: StreamPosition)
        if backward {
            bounds = (to?.position ?? StreamPosition(.min), min(start.position, ceiling))
        } else {
            bounds = (start.position, min(to?.position ?? ceiling, ceiling))
        }
        let limit = min(max(limit, 1), 1_000)
        var found: [StoredEvent] = []
        var cursor = bounds
        var isExhausted = false
        // A filter or the rules of visibility may leave nothing of a page: go on for a while, so that the client does not have to.
        for _ in 0..<10 {
            let after = cursor.after
            let through = cursor.through
            let page = try await store.read {
                try $0.events.timeline(number, after: after, through: through, limit: limit, newestFirst: backward)
            }
            let visible = try await visibility.visible(page, in: number, to: user.number, id: user.id)
            let allowed = visible.filter { event in
                event.status == .accepted
                    && filter.allows(
                        type: event.event.type, sender: event.event.sender, room: room, content: event.event.content
                    )
            }
            found += try await filter.related(allowed, store: store)
            isExhausted = page.count < limit
            if let last = page.last?.position {
                if backward { cursor.through = StreamPosition(last.rawValue - 1) } else { cursor.after = last }
            }
            if found.count >= limit { break }
            if isExhausted {
                guard backward, try await fetchHistory(of: number) else { break }
                isExhausted = false
            }
        }
        if found.count > limit, let last = found[limit - 1].position {
            found = Array(found.prefix(limit))
            isExhausted = false
            if backward { cursor.through = StreamPosition(last.rawValue - 1) } else { cursor.after = last }
        }
        // A page with something on it says where the next one would begin: that there is none the client learns there.
        let end = isExhausted && found.isEmpty ? nil : SyncToken(backward ? cursor.through : cursor.after)
        let state = filter.lazyLoadMembers ? try await senders(of: found, in: number) : []
        return HistoryPage(events: found, start: start, end: end, state: state)
    }

    /// Fetches history that this server does not have.
    ///
    /// - Returns: Whether there is more than before.
    func fetchHistory(of room: RoomNumber) async throws -> Bool {
        guard let federation, try await participates(in: room) else { return false }
        return try await backfill.fetch(lane(room), services, federation)
    }

    /// The last place of the timeline that a user may ask for.
    func readableEnd(_ room: RoomNumber, by user: Requester) async throws -> StreamPosition {
        let record = try await store.read { try $0.memberships.membership(of: user.number, in: room) }
        if let record, record.membership == .leave || record.membership == .ban, !record.isForgotten,
            let left = try await store.event(record.event), try await wasIn(left)
        {
            return record.position
        }
        // Everyone else may ask if they may see the state; each event is judged on its own.
        _ = try await readableState(room, by: user)
        return store.journal.end
    }

    /// The current memberships of those who sent `events`.
    private func senders(of events: [StoredEvent], in room: RoomNumber) async throws -> [StoredEvent] {
        guard let last = events.max(by: { ($0.position ?? .init(.min)) < ($1.position ?? .init(.min)) })?.timelineState
        else {
            return []
        }
        let state = try await store.state(last)
        var members: [EventNumber] = []
        for sender in Set(events.map(\.event.sender)) {
            if let key = try await store.number(of: .member(sender)), let event = state[key] { members.append(event) }
        }
        return try await store.events(members).values.sorted { $0.number < $1.number }
    }

    /// An event and what surrounds it.
    ///
    /// [GET /rooms/{roomId}/context](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidcontexteventid)
    ///
    /// - Parameter limit: How many events around it.
    public func context(
        of id: EventID, in room: RoomID, limit: Int, filter: RoomEventFilter, by user: Requester
    ) async throws -> EventContext {
        let count = min(max(limit, 0), 100)
        return try await context(
            of: id, in: room, before: count / 2, after: count - count / 2, filter: filter, by: user)
    }

    /// An event, and so many events before and after it.
    func context(
        of id: EventID, in room: RoomID, before countBefore: Int, after countAfter: Int, filter: RoomEventFilter,
        by user: Requester
    ) async throws -> EventContext {
        let number = try await number(of: room)
        let end = try await readableEnd(number, by: user)
        let event = try await event(id, in: room, by: user)
        guard let position = event.position else { throw MatrixError.notFound("The event is in no timeline") }
        let (before, after) = try await store.read { reader in
            (
                try reader.events.timeline(
                    number, after: StreamPosition(.min), through: StreamPosition(position.rawValue - 1),
                    limit: countBefore, newestFirst: true
                ),
                try reader.events.timeline(
                    number, after: position, through: end, limit: countAfter, newestFirst: false)
            )
        }
        func allowed(_ events: [StoredEvent]) async throws -> [StoredEvent] {
            let seen = try await visibility.visible(events, in: number, to: user.number, id: user.id).filter { event in
                event.status == .accepted
                    && filter.allows(
                        type: event.event.type, sender: event.event.sender, room: room, content: event.event.content
                    )
            }
            return try await filter.related(seen, store: store)
        }
        let visibleBefore = try await allowed(before)
        let visibleAfter = try await allowed(after)
        let last = after.last ?? event
        var state: [StoredEvent] = []
        if let map = last.timelineState {
            let all = try await store.events(try await store.state(map).map(\.value)).values
            let senders = Set((visibleBefore + [event] + visibleAfter).map(\.event.sender.string))
            state = all.filter { candidate in
                guard filter.lazyLoadMembers, candidate.event.type == .member else { return true }
                return candidate.event.stateKey.map { senders.contains($0.string) } ?? false
            }.sorted { $0.number < $1.number }
        }
        let start = before.last?.position ?? position
        return EventContext(
            event: event, before: visibleBefore, after: visibleAfter,
            start: SyncToken(StreamPosition(start.rawValue - 1)), end: SyncToken(after.last?.position ?? position),
            state: state
        )
    }
}
