import Matrix
import Store

/// Answers sliding sync, with the parts of which ``SyncService`` makes its answers.
///
/// [MSC4186](https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4186-simplified-sliding-sync.md).
/// What an answer costs follows what has changed since the one before. Only when a client changes what it wants, or the user comes into a
/// room or goes from one, all rooms of the windows are looked at.
public final class SlidingSyncService: Sendable {
    let sync: SyncService
    let facts: RoomFactsCache
    let connections: SlidingConnections

    var store: Store { sync.store }

    /// The longest a request waits, in milliseconds.
    private static let longestWait: Int64 = 120_000

    /// - Parameters:
    ///   - sync: What makes the parts of answers.
    ///   - facts: What lists ask about rooms. It must follow the journal before those who wait are woken.
    public init(sync: SyncService, facts: RoomFactsCache) {
        self.sync = sync
        self.facts = facts
        connections = SlidingConnections(clock: sync.clock)
    }

    /// The response, or what to wait for until there is something to say.
    ///
    /// - Throws: 400 `M_UNKNOWN_POS` if the position is not known (any more).
    public func respond(to request: SlidingSyncRequest) async throws -> SyncAnswer {
        let opening = try open(request)
        if let presence = sync.presence { await presence.seen(request.user, as: request.presence) }
        try await acknowledge(request)
        let work = try await SlidingWork(request, opening, store: store)
        let wait = request.position == nil ? 0 : min(request.timeoutMilliseconds, Self.longestWait)
        return try await answer(work, deadline: sync.clock.now + wait)
    }

    /// Looks for news, and waits for some if there are none and there is time left.
    private func answer(_ before: SlidingWork, deadline: Int64) async throws -> SyncAnswer {
        var work = before
        let answer = try await sync.repeatingWhenRoomsGo {
            work = before
            return try await look(&work)
        }
        if !answer.isEmpty || sync.clock.now >= deadline || Task.isCancelled {
            return .body(try await finish(work, answer))
        }
        guard let token = work.state.token else { throw MatrixError.internalError }
        return .waiting(
            SyncWait(sync, work.request.user.number, since: token, deadline: deadline) { [work] isLast in
                // Whose session has ended is told nothing more: an answer without news, from where the last look ended.
                if isLast { return .body(try await self.finish(work, SlidingAnswer())) }
                return try await self.answer(work, deadline: deadline)
            })
    }

    private func key(_ request: SlidingSyncRequest) -> SlidingConnections.Key {
        .init(user: request.user.number, device: request.user.device, name: request.connection)
    }

    private func open(_ request: SlidingSyncRequest) throws -> SlidingConnections.Opening {
        let key = key(request)
        var beginning = SlidingState()
        if let text = request.position {
            guard let position = SlidingPosition(text) else { throw MatrixError.unknownPosition }
            switch position.answer {
            case .remembered(let serial):
                guard let opening = connections.resume(key, from: serial), opening.state.token == position.token else {
                    throw MatrixError.unknownPosition
                }
                return opening
            case .bare(let seal):
                // A position from after the journal's end is of a database that has been restored since.
                guard seal == SlidingPosition.seal(key), position.token.position <= store.journal.end else {
                    throw MatrixError.unknownPosition
                }
                beginning.token = position.token
            }
        }
        if request.needsMemory { return connections.open(key, from: beginning) }
        return .init(ticket: nil, state: beginning, cache: SlidingCache())
    }

    /// The device has the messages that it says it has.
    private func acknowledge(_ request: SlidingSyncRequest) async throws {
        guard let device = request.user.device, let since = request.extensions.toDevice?.since,
            since <= store.journal.end
        else { return }
        try await sync.devices.acknowledge(request.user.number, device, through: since)
    }

    private func finish(_ work: SlidingWork, _ answer: SlidingAnswer) async throws -> [UInt8] {
        let request = work.request
        guard let token = work.state.token else { throw MatrixError.internalError }
        let position: SlidingPosition
        if let ticket = work.ticket {
            let serial = connections.finish(ticket, work.state) { serial in
                var cache = work.cache
                cache.checked = (request.rules, serial)
                return cache
            }
            // Another request has taken this one's place: whoever waits for this answer must not go on from it.
            guard let serial else { throw MatrixError.unknownPosition }
            position = SlidingPosition(token, .remembered(serial: serial))
        } else {
            position = SlidingPosition(token, .bare(seal: SlidingPosition.seal(key(request))))
        }
        return try await answer.write(request, position: position, store: store, now: sync.clock.now)
    }

    // MARK: One look

    /// What there is to say now. If it is nothing, the work goes on from the moment of this look.
    private func look(_ work: inout SlidingWork) async throws -> SlidingAnswer {
        let user = work.request.user
        // The rooms first: so they are never ahead of the entries, and what they lack is in the entries.
        var rooms = try await sync.activeUsers.rooms(of: user.number)
        rooms.removeGone(store)
        let end = SyncToken(store.journal.end, typing: sync.typing.serial)
        var news: SlidingNews?
        if let since = work.state.token {
            news = try await self.news(since: since, end: end, user, &rooms)
        }
        let moment = SlidingMoment(
            since: work.state.token, end: end, rooms: rooms, news: news,
            typing: typingRooms(work, rooms, end))
        let messages = try await messages(&work, moment)
        let sticky = try await stickyPage(&work, moment)
        if let news, news.changes.isEmpty, !work.mustCheckAll, moment.typing.isEmpty, messages?.events.isEmpty ?? true,
            !hasThreadNews(work, moment), sticky == nil
        {
            work.state.token = end
            var answer = SlidingAnswer()
            answer.messages = messages
            answer.listCounts = listCounts(work)
            try await addQuietExtensions(work, to: &answer)
            return answer
        }
        return try await answer(&work, moment, messages, sticky)
    }

    private func news(
        since: SyncToken, end: SyncToken, _ user: Requester, _ rooms: inout UserRooms
    ) async throws -> SlidingNews {
        if let entries = store.journal.entries(after: since.position, through: end.position) {
            for entry in entries { rooms.apply(entry, for: user.number) }
            return SlidingNews(changes: SyncChanges(entries, for: user, rooms: rooms), isComplete: true)
        }
        let changes = try await SyncChanges(
            user: user, rooms: rooms, after: since.position, through: end.position, store: store,
            userSource: sync.users, devices: sync.devices, presence: nil,
            timelineLimit: SyncService.defaultTimelineLimit)
        return SlidingNews(changes: changes, isComplete: false)
    }

    private func typingRooms(_ work: SlidingWork, _ rooms: UserRooms, _ end: SyncToken) -> Set<RoomNumber> {
        guard work.request.extensions.typing != nil, let since = work.state.token, since.typing != end.typing else {
            return []
        }
        return Set(sync.typing.changed(rooms.joined, after: since.typing))
    }

    private func answer(
        _ work: inout SlidingWork, _ moment: SlidingMoment, _ messages: (events: [[UInt8]], next: StreamPosition)?,
        _ sticky: StickyPage?
    ) async throws -> SlidingAnswer {
        var answer = SlidingAnswer()
        answer.messages = messages
        try await updateLists(&work, moment)
        answer.listCounts = listCounts(work)
        let targets = targets(&work, moment)
        work.owed = [:]
        for room in targets.keys { work.owed[room] = work.state.rooms[room]?.through }
        answer.rooms = try await rooms(targets, &work, moment)
        try await addExtensions(targets, &work, moment, to: &answer)
        try await add(sticky, work, to: &answer)
        noteUnsent(targets, &work, moment)
        work.state.token = moment.end
        work.mustCheckAll = false
        return answer
    }

    private func listCounts(_ work: SlidingWork) -> [(name: ExactString, count: Int)] {
        work.request.lists.keys.sorted().map { ($0, work.cache.lists[$0]?.entries.count ?? 0) }
    }

    /// Notes of the rooms in which something has happened and which are in no window that what has happened was not sent.
    private func noteUnsent(
        _ targets: [RoomNumber: SlidingTarget], _ work: inout SlidingWork, _ moment: SlidingMoment
    ) {
        guard let since = moment.since, let news = moment.news else { return }
        for room in news.changedRooms where targets[room] == nil {
            guard var sent = work.state.rooms[room], sent.kind == .joined, sent.through == nil else { continue }
            sent.through = since.position
            work.state.rooms[room] = sent
        }
    }
}

/// A request that is being answered.
struct SlidingWork {
    let request: SlidingSyncRequest
    let ticket: SlidingConnections.Ticket?
    var state: SlidingState
    var cache: SlidingCache
    /// The rooms subscribed to, as far as this server knows them.
    let subscriptions: [RoomNumber: RoomConfig]
    /// Whether all rooms in the windows have to be looked at, not only those in which something has happened.
    var mustCheckAll: Bool
    /// Rooms of which something was kept back while they were in no window, and since when.
    var owed: [RoomNumber: StreamPosition] = [:]
    /// Up to where it is known that no message waits for the device.
    var messagesThrough = StreamPosition(0)
    /// Up to where it is known that nothing sticks that the client has not been told.
    var stickyThrough = StreamPosition(0)
    /// Timelines are read as for a sync with such a limit.
    private var timelineRequests: [Int: SyncRequest] = [:]
    /// By the lists that a room is in: what they want together.
    private var configs: [[ExactString]: CombinedConfig] = [:]

    init(_ request: SlidingSyncRequest, _ opening: SlidingConnections.Opening, store: Store) async throws {
        self.request = request
        ticket = opening.ticket
        state = opening.state
        cache = opening.cache
        var subscriptions: [RoomNumber: RoomConfig] = [:]
        for (room, config) in request.subscriptions {
            if let number = try await store.number(of: room) { subscriptions[number] = config }
        }
        self.subscriptions = subscriptions
        state.accountData.note(request.extensions.accountData != nil)
        state.receipts.note(request.extensions.receipts != nil)
        state.threadSubscriptions.note(request.extensions.threadSubscriptions != nil)
        if case .remembered(let serial)? = request.position.flatMap({ SlidingPosition($0) })?.answer,
            let checked = cache.checked, checked.serial == serial, checked.rules == request.rules
        {
            mustCheckAll = false
        } else {
            // A first request, other rules, or an answer that is given again: then what was looked at for the lost one is not sent yet.
            mustCheckAll = true
        }
    }

    /// What a sync is asked for a timeline of so many events.
    mutating func timelineRequest(_ limit: Int) -> SyncRequest {
        if let known = timelineRequests[limit] { return known }
        var room = RoomFilter.all
        room.timeline.events.limit = limit
        let filter = Filter(eventFields: nil, eventFormat: .client, presence: .all, accountData: .all, room: room)
        let made = SyncRequest(user: request.user, filter: filter)
        timelineRequests[limit] = made
        return made
    }

    /// What the lists and a subscription want of a room together; `nil` if there are none.
    mutating func config(_ lists: [ExactString], _ subscription: RoomConfig?) -> CombinedConfig? {
        if subscription == nil, let known = configs[lists] { return known }
        let wishes = lists.compactMap { request.lists[$0]?.config } + (subscription.map { [$0] } ?? [])
        guard let limit = wishes.map(\.timelineLimit).max() else { return nil }
        let state = cache.share(CombinedState(Set(wishes.map(\.state))))
        let config = CombinedConfig(timelineLimit: limit, state: state)
        if subscription == nil { configs[lists] = config }
        return config
    }
}

/// What has happened in the span that a look is at.
struct SlidingNews {
    let changes: SyncChanges
    /// Whether ``changes`` has every event of the span.
    let isComplete: Bool

    /// Rooms in which something has happened that a client may want to hear of.
    var changedRooms: Set<RoomNumber> {
        var rooms = Set(changes.events.keys).union(changes.ownMemberships).union(changes.resetRooms)
        rooms.formUnion(changes.receipts.keys)
        rooms.formUnion(changes.ownReceipts)
        rooms.formUnion(changes.accountData.compactMap(\.room))
        return rooms
    }
}

/// The span that a look is at, and what is known of it.
struct SlidingMoment {
    /// Where the client's knowledge ends; `nil` if it has none.
    let since: SyncToken?
    let end: SyncToken
    let rooms: UserRooms
    /// `nil` if the client has no knowledge that something could be new to.
    let news: SlidingNews?
    /// Rooms in which who is typing has changed.
    let typing: Set<RoomNumber>
}

extension SlidingSyncRequest {
    /// Whether something of what is sent must be remembered for the next request.
    var needsMemory: Bool {
        !lists.isEmpty || !subscriptions.isEmpty || extensions.accountData != nil
            || extensions.threadSubscriptions != nil
    }
}
