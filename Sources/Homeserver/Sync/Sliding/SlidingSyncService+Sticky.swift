import Matrix
import Store

/// Events that stick and have not been told yet.
struct StickyPage: Sendable {
    /// The rooms, and their events, oldest first.
    var rooms: [(room: RoomNumber, id: RoomID, events: [StoredEvent])] = []
    /// Up to where the client has been told everything after this.
    var next: StreamPosition
}

/// [MSC4480](https://github.com/matrix-org/matrix-spec-proposals/pull/4480)
extension SlidingSyncService {
    /// What sticks that the client does not have yet; `nil` if there is nothing, or nothing is wanted.
    func stickyPage(_ work: inout SlidingWork, _ moment: SlidingMoment) async throws -> StickyPage? {
        guard let wanted = work.request.extensions.sticky else { return nil }
        let end = moment.end.position
        guard store.stickiness.mayHold(at: sync.clock.now) else {
            work.stickyThrough = end
            return nil
        }
        // What the client has it has told; a token from after the end is of a database that has been restored since.
        let told = wanted.since.map { $0 > end ? StreamPosition(0) : $0 } ?? StreamPosition(0)
        let from = max(told, work.stickyThrough)
        let entered = try await enteredRooms(moment)
        if let since = moment.since, let news = moment.news, news.isComplete, from >= since.position, entered.isEmpty,
            !news.changes.events.values.contains(where: { $0.contains { $0.event.stickyMilliseconds != nil } })
        {
            work.stickyThrough = end
            return nil
        }
        let ignored = try await sync.users.ignoredUsers(of: work.request.user.number)
        let joined = moment.rooms.joined
        let events = try await store.stickyEvents(
            in: joined, after: from, through: end, now: sync.clock.now, limit: wanted.limit)
        var page = StickyPage(next: events.count >= wanted.limit ? events.last?.position ?? end : end)
        var byRoom = Dictionary(grouping: events.filter { sync.isToldSticky($0, ignored) }, by: \.room)
        // Who comes into a room is told everything in it, from whenever it is.
        for (room, all) in try await sync.sticky(in: entered, after: StreamPosition(0), through: end, ignored: ignored)
        {
            byRoom[room] = all
        }
        for (room, events) in byRoom.sorted(by: { $0.key < $1.key }) where !events.isEmpty {
            page.rooms.append((room, try await store.room(room), events))
        }
        if events.isEmpty, page.rooms.isEmpty {
            work.stickyThrough = end
            return nil
        }
        return page
    }

    private func enteredRooms(_ moment: SlidingMoment) async throws -> [RoomNumber] {
        guard let since = moment.since, let news = moment.news else { return [] }
        var rooms: [RoomNumber] = []
        for room in news.changes.ownMemberships {
            guard let entry = moment.rooms.rooms[room], entry.membership == .join,
                try await sync.isNewlyJoined(entry, true, since.position)
            else { continue }
            rooms.append(room)
        }
        return rooms.sorted()
    }

    /// Adds what sticks in rooms that the client is interested in, whether or not they are in a window, but for what is in a timeline.
    func add(_ page: StickyPage?, _ work: SlidingWork, to answer: inout SlidingAnswer) async throws {
        guard var page else { return }
        let told = Set(answer.rooms.flatMap { $0.timeline ?? [] }.map(\.number))
        page.rooms = page.rooms.compactMap { room, id, events in
            guard
                work.subscriptions[room] != nil
                    || work.request.lists.keys.contains(where: { work.cache.lists[$0]?.place(of: room) != nil })
            else { return nil }
            let untold = events.filter { !told.contains($0.number) }
            return untold.isEmpty ? nil : (room, id, untold)
        }
        answer.sticky = page
    }
}
