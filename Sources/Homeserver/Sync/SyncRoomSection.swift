import Matrix
import RoomEngine
import Store

/// A room's part of a sync response, before it is written.
struct SyncRoomSection: Sendable {
    var timeline: [StoredEvent] = []
    var isLimited = false
    var prevBatch: SyncToken
    var state: [StoredEvent] = []
    /// Events that stick, beside those in the timeline.
    var sticky: [StoredEvent] = []
    var ephemeral: [[UInt8]] = []
    var accountData: [AccountDataRecord] = []
    var unread: UnreadSummary?
    var summary: RoomSummary?

    /// Where earlier events are to be had. Of a room that is shown whole, its creation and its creator are: clients and tests that were
    /// written against Synapse, which has all of such a room again then, take a page with nothing on it for a failure.
    var earlier: SyncToken {
        guard !isLimited, timeline.first?.event.type == .create, let place = timeline.prefix(2).last?.position else {
            return prevBatch
        }
        return SyncToken(place)
    }

    var isEmpty: Bool {
        timeline.isEmpty && state.isEmpty && sticky.isEmpty && ephemeral.isEmpty && accountData.isEmpty
    }
}

/// What names a room that has no name: [RoomSummary](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync).
struct RoomSummary: Sendable {
    let heroes: [UserID]
    let joined: Int
    let invited: Int
}

extension SyncService {
    /// How many events a timeline has where the filter does not say.
    static let defaultTimelineLimit = 10

    func timelineLimit(_ filter: Filter) -> Int {
        min(max(filter.room.timeline.limit ?? Self.defaultTimelineLimit, 0), 100)
    }

    /// How many events are read for a timeline at once: one more than are wanted tells whether there are more, and a few are often
    /// left out.
    static func timelinePage(_ limit: Int) -> Int { max(limit + 1, 20) }

    /// The end of a room's timeline, and what came before it.
    ///
    /// - Parameters:
    ///   - known: All events in `(since, through]`, oldest first, if they are at hand.
    ///   - page: The newest of them, newest first, as many as `pageSize` says, if they are at hand.
    ///   - pageSize: How many events are read at once; `nil` for what ``timelinePage(_:)`` says.
    ///   - since: Where the client's knowledge ends; `nil` if it has none.
    ///   - checkVisibility: Whether there may be events that the user must not see.
    ///   - isJoined: Whether the user is known to be in the room.
    ///   - current: State that the user is told in any case: its events are shown even where history is hidden.
    func timeline(
        _ room: RoomNumber, _ request: SyncRequest, known: [StoredEvent]?, page: [StoredEvent]? = nil,
        pageSize: Int? = nil, since: StreamPosition?, through: StreamPosition, checkVisibility: Bool, isJoined: Bool,
        current: StateMap, ignored: Set<UserID>
    ) async throws -> (events: [StoredEvent], isLimited: Bool, prevBatch: SyncToken) {
        let limit = timelineLimit(request.filter)
        let pageSize = pageSize ?? Self.timelinePage(limit)
        let id = try await store.room(room)
        let filter = request.filter.room.timeline
        func allowed(_ event: StoredEvent) -> Bool {
            event.status == .accepted && !store.lifetimes.hasEnded(event)
                && (ignored.isEmpty || event.event.isState || !ignored.contains(event.event.sender))
                && filter.allows(
                    type: event.event.type, sender: event.event.sender, room: id, content: event.event.content)
        }
        func shown(_ events: [StoredEvent]) async throws -> [StoredEvent] {
            guard checkVisibility else { return try await EventVisibility(store: store).withoutIdleRedactions(events) }
            return try await visible(events, room, request.user, isJoined: isJoined, current)
        }
        var found: [StoredEvent] = []
        var isLimited = false
        var first = StreamPosition((since?.rawValue ?? 0))
        if let known {
            let visible = try await shown(known)
            found = try await filter.related(visible.filter(allowed), store: store)
            if found.count > limit {
                isLimited = true
                found = Array(found.suffix(limit))
            }
            first = known.first?.position ?? through
        } else {
            // From the end backward until the page is full, or the client's knowledge is reached.
            var cursor = through
            let floor = since ?? StreamPosition(.min)
            var reachedEnd = false
            var atHand = page
            for _ in 0..<10 where found.count <= limit && !reachedEnd {
                let page: [StoredEvent]
                if let first = atHand.take() {
                    page = first
                } else {
                    let last = cursor
                    page = try await store.read {
                        try $0.events.timeline(
                            room, after: floor, through: last, limit: pageSize, newestFirst: true
                        )
                    }
                }
                reachedEnd = page.count < pageSize
                let visible = try await shown(page)
                found += try await filter.related(visible.filter(allowed), store: store)
                if let oldest = page.last?.position {
                    cursor = StreamPosition(oldest.rawValue - 1)
                    first = oldest
                }
            }
            isLimited = found.count > limit || !reachedEnd
            found = Array(found.prefix(limit).reversed())
        }
        if let oldest = found.first?.position, isLimited || since == nil { first = oldest }
        if found.isEmpty { first = StreamPosition(through.rawValue + 1) }
        return (found, isLimited, SyncToken(StreamPosition(first.rawValue - 1)))
    }

    private func visible(
        _ events: [StoredEvent], _ room: RoomNumber, _ user: Requester, isJoined: Bool, _ current: StateMap
    ) async throws -> [StoredEvent] {
        let seen = try await EventVisibility(store: store).visible(
            events, in: room, to: user.number, id: user.id, isJoined: isJoined)
        guard seen.count < events.count else { return seen }
        let byNumber = Dictionary(uniqueKeysWithValues: seen.map { ($0.number, $0) })
        return events.compactMap { event in
            byNumber[event.number] ?? (event.stateKey.flatMap { current[$0] } == event.number ? event : nil)
        }
    }

    /// The state that the client needs beside the timeline.
    ///
    /// - Parameters:
    ///   - from: The state the client knows; `nil` for none.
    ///   - timeline: The timeline sent with it.
    ///   - end: The state after the last event.
    func state(
        _ room: RoomNumber, _ request: SyncRequest, from: StateMap?, timeline: [StoredEvent], end: StateMap,
        sendsAll: Bool
    ) async throws -> [StoredEvent] {
        let filter = request.filter.room.state
        let target = request.useStateAfter ? end : try await stateBefore(timeline, end: end)
        var wanted: Set<EventNumber> = []
        let inTimeline = Set(timeline.map(\.number))
        for (key, event) in target where from?[key] != event {
            if request.useStateAfter || !inTimeline.contains(event) { wanted.insert(event) }
        }
        // Where branches of the room's graph met, the end is not just the beginning and the timeline's events.
        if !request.useStateAfter, timeline.contains(where: { $0.roomState != nil }) {
            for (key, event) in end where from?[key] != event && target[key] != event && !inTimeline.contains(event) {
                wanted.insert(event)
            }
        }
        var members: [(UserID, EventNumber)] = []
        if filter.lazyLoadMembers {
            // Members are sent when they speak; their own membership tells clients that they are in the room.
            for user in Set(timeline.map(\.event.sender)).union(sendsAll ? [request.user.id] : []) {
                guard let key = try await store.number(of: .member(user)), let event = target[key] else { continue }
                if request.useStateAfter || !inTimeline.contains(event) { members.append((user, event)) }
            }
            if sendsAll { lazyMembers.reset(request.user, in: room) }
            let unsent = lazyMembers.unsent(
                members, to: request.user, in: room, sendAll: sendsAll || filter.includeRedundantMembers
            )
            let changedMembers = Set(from == nil ? [] : members.map(\.1)).intersection(wanted)
            var kept: Set<EventNumber> = Set(unsent).union(changedMembers)
            for event in try await store.events(wanted).values
            // Memberships that are outside of the graph are no news: they were learned of when a room was completed.
            where event.event.type != .member || (from != nil && !sendsAll && event.isInGraph) {
                kept.insert(event.number)
            }
            wanted = kept
        }
        let id = try await store.room(room)
        return try await store.events(wanted).values.filter { event in
            filter.allows(type: event.event.type, sender: event.event.sender, room: id, content: event.event.content)
        }.sorted { $0.number < $1.number }
    }

    /// The state before a timeline's first event.
    private func stateBefore(_ timeline: [StoredEvent], end: StateMap) async throws -> StateMap {
        guard let first = timeline.first, let after = first.timelineState else { return end }
        var map = try await store.state(after)
        if let key = first.stateKey, map[key] == first.number { map[key] = first.replaces }
        return map
    }

    /// What names a room without a name.
    func summary(_ view: RoomView, for user: Requester) async throws -> RoomSummary {
        let room = view.head.number
        let named = try await view.event(StateKey(.name))?.event.content["name"]?.string?.isEmpty == false
        var heroes: [UserID] = []
        if !named, try await view.event(StateKey(.canonicalAlias))?.event.content["alias"]?.string?.isEmpty != false {
            heroes = try await store.read { reader in
                var users: [UserID] = []
                for membership in [Membership.join, .invite, .leave, .ban] where users.isEmpty || membership == .invite
                {
                    users += try reader.memberships.users(in: room, membership, limit: 6).filter { $0 != user.number }
                        .map { try reader.identifiers.user($0) }
                }
                return Array(users.prefix(5))
            }
        }
        return RoomSummary(heroes: heroes, joined: view.head.joinedCount, invited: view.head.invitedCount)
    }
}
