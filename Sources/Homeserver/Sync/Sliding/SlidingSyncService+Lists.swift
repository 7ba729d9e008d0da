import Matrix
import Store

/// A room that a request wants, and what it wants of it.
struct SlidingTarget {
    /// The lists in whose windows it is.
    var lists: [ExactString]
    let isSubscribed: Bool
    let config: CombinedConfig
}

extension SlidingSyncService {
    /// Brings the lists up to date: rooms in which something has happened move up; where who is in a list may have changed, it is made anew.
    func updateLists(_ work: inout SlidingWork, _ moment: SlidingMoment) async throws {
        forgetStale(&work, moment)
        for (room, events) in moment.news?.changes.events ?? [:] {
            guard moment.rooms.rooms[room]?.membership == .join, let last = events.last?.position else { continue }
            for name in work.cache.lists.keys { work.cache.lists[name]?.touch(room, at: last) }
            // What moves up pushes others down, into a window that does not begin at the top.
            if work.request.lists.values.contains(where: \.beginsLate) { work.mustCheckAll = true }
        }
        let missing = work.request.lists.filter { work.cache.lists[$0.key] == nil }
        guard !missing.isEmpty else { return }
        work.mustCheckAll = true
        let candidates = try await candidates(moment, work.request.user)
        for (name, list) in missing {
            work.cache.lists[name] = OrderedRooms(
                list.filter, try await filtered(candidates, list.filter, &work, moment))
        }
    }

    private func forgetStale(_ work: inout SlidingWork, _ moment: SlidingMoment) {
        let wanted = work.request.lists
        work.cache.lists = work.cache.lists.filter { wanted[$0.key]?.filter == $0.value.filter }
        guard let news = moment.news else { return }
        let changes = news.changes
        guard news.isComplete, changes.ownMemberships.isEmpty, changes.resetRooms.isEmpty else {
            work.cache.lists = [:]
            work.cache.account = news.isComplete ? work.cache.account : nil
            if !news.isComplete { work.mustCheckAll = true }
            forgetAccount(&work, changes)
            return
        }
        forgetAccount(&work, changes)
        var factsChanged = false
        var spacesChanged: Set<RoomNumber> = []
        for (room, events) in changes.events {
            for event in events where event.stateKey != nil {
                if RoomFacts.eventTypes.contains(event.event.type) { factsChanged = true }
                if event.event.type == .spaceChild { spacesChanged.insert(room) }
            }
        }
        guard factsChanged || !spacesChanged.isEmpty else { return }
        work.cache.lists = work.cache.lists.filter { _, list in
            !(factsChanged && list.filter.needsFacts) && (list.filter.spaces == nil || spacesChanged.isEmpty)
        }
    }

    private func forgetAccount(_ work: inout SlidingWork, _ changes: SyncChanges) {
        let types = Set(changes.accountData.map { ExactString($0.type) })
        if types.contains("m.direct") || types.contains("m.tag") {
            work.cache.account = nil
            work.cache.lists = work.cache.lists.filter { !$0.value.filter.needsAccountData }
            // That a room is a direct chat is told with it.
            if types.contains("m.direct") { work.mustCheckAll = true }
        }
        // Whose invitations are shown depends on it.
        if types.contains("m.ignored_user_list") || !types.isDisjoint(with: InvitePermission.types) {
            work.cache.lists = [:]
        }
    }

    // MARK: Making a list

    private struct Candidate {
        let room: RoomNumber
        let membership: Membership
        let position: StreamPosition
    }

    /// All rooms that can be in lists: those that the user is in, invited to or knocked on, and those that they were put out of.
    private func candidates(_ moment: SlidingMoment, _ user: Requester) async throws -> [Candidate] {
        let entries = moment.rooms.rooms.filter { $0.value.position <= moment.end.position }
        let joined = entries.filter { $0.value.membership == .join }.map(\.key)
        let positions = try await store.read { try $0.rooms.positions(of: joined) }
        var candidates: [Candidate] = []
        candidates.reserveCapacity(entries.count)
        for room in joined {
            let last = min(positions[room] ?? StreamPosition(0), moment.end.position)
            candidates.append(Candidate(room: room, membership: .join, position: last))
        }
        let others = entries.filter { $0.value.membership != .join && !$0.value.isForgotten }
        let events = try await store.events(others.map(\.value.event))
        for (room, entry) in others {
            guard let event = events[entry.event] else { continue }
            switch entry.membership {
            case .invite where try await sync.users.hides(inviteBy: event.event.sender, from: user.number): continue
            case .leave where event.event.sender == user.id: continue
            case .leave, .ban: guard try await wasInside(before: event) else { continue }
            case .join, .invite, .knock: break
            }
            candidates.append(Candidate(room: room, membership: entry.membership, position: entry.position))
        }
        return candidates
    }

    /// Whether a user who is not in a room had been in it at some time before. How far back it is looked is bounded.
    private func wasInside(before event: StoredEvent) async throws -> Bool {
        var current = event
        for _ in 0..<8 {
            guard let replaced = current.replaces, let before = try await store.event(replaced) else { return false }
            if Membership(of: before.event) == .join { return true }
            current = before
        }
        return false
    }

    private func filtered(
        _ candidates: [Candidate], _ filter: RoomListFilter, _ work: inout SlidingWork, _ moment: SlidingMoment
    ) async throws -> [OrderedRooms.Entry] {
        guard filter != RoomListFilter() else {
            return candidates.map { OrderedRooms.Entry(room: $0.room, position: $0.position) }
        }
        let inSpaces = try await rooms(inSpaces: filter.spaces ?? [], moment)
        let account = filter.needsAccountData ? try await account(&work) : SlidingCache.Account()
        let known =
            filter.needsFacts
            ? try await facts.facts(
                of: candidates.filter { $0.membership != .invite && $0.membership != .knock }.map(\.room))
            : [:]
        var entries: [OrderedRooms.Entry] = []
        for candidate in candidates {
            let id = try await store.room(candidate.room)
            var room = RoomListFilter.Room()
            room.isInvited = candidate.membership == .invite
            room.isDirect = account.directs.contains(id)
            room.tags = account.tags[candidate.room] ?? []
            room.isInSpace = inSpaces.contains(id)
            room.facts = known[candidate.room]
            if filter.needsFacts, candidate.membership == .invite || candidate.membership == .knock {
                room.facts = try await facts.facts(of: candidate.room, toldTo: work.request.user.number)
            }
            guard filter.allows(room) else { continue }
            entries.append(OrderedRooms.Entry(room: candidate.room, position: candidate.position))
        }
        return entries
    }

    /// The rooms that are listed in those of the spaces that the user is in.
    ///
    /// [m.space.child](https://spec.matrix.org/v1.19/client-server-api/#mspacechild): without `via` it is no child.
    private func rooms(inSpaces spaces: Set<RoomID>, _ moment: SlidingMoment) async throws -> Set<RoomID> {
        var children: Set<RoomID> = []
        let wanted = CombinedState([
            RequiredState(including: [.init(type: .spaceChild, key: nil)], excluding: [], lazyMembers: false)
        ])
        for space in spaces {
            guard let number = try await store.number(of: space), moment.rooms.rooms[number]?.membership == .join else {
                continue
            }
            let state = try await sync.rooms.view(number).head.state
            let found = try await store.read { try StateSelector(wanted, $0).select(state, $0) }
            for event in try await store.events(found).values where event.event.content["via"]?.elements.first != nil {
                if let child = event.event.stateKey.flatMap({ RoomID($0.string) }) { children.insert(child) }
            }
        }
        return children
    }

    /// What the user's account data say of their rooms.
    func account(_ work: inout SlidingWork) async throws -> SlidingCache.Account {
        if let known = work.cache.account { return known }
        var account = SlidingCache.Account()
        for data in try await sync.users.accountData(of: work.request.user.number) {
            let type = ExactString(data.type)
            guard type == "m.direct" || type == "m.tag", let content = try? JSON(parsing: data.content) else {
                continue
            }
            if let room = data.room, type == "m.tag", let tags = content["tags"] {
                account.tags[room] = Set(tags.members.map { ExactString($0.0) })
            } else if data.room == nil, type == "m.direct" {
                for (_, rooms) in content.members {
                    account.directs.formUnion(rooms.elements.compactMap { $0.string.flatMap { RoomID($0) } })
                }
            }
        }
        work.cache.account = account
        return account
    }

    // MARK: Windows

    /// The rooms that the request wants, as far as they have to be looked at.
    func targets(_ work: inout SlidingWork, _ moment: SlidingMoment) -> [RoomNumber: SlidingTarget] {
        var lists: [RoomNumber: [ExactString]] = [:]
        if work.mustCheckAll {
            for (name, list) in work.request.lists {
                for room in work.cache.lists[name]?.window(list.ranges) ?? [] { lists[room, default: []].append(name) }
            }
            for room in work.subscriptions.keys { lists[room, default: []] += [] }
        } else {
            for room in (moment.news?.changedRooms ?? []).union(moment.typing) {
                for (name, list) in work.request.lists {
                    if let place = work.cache.lists[name]?.place(of: room), list.includes(place) {
                        lists[room, default: []].append(name)
                    }
                }
                if work.subscriptions[room] != nil { lists[room, default: []] += [] }
            }
        }
        for room in leavings(work, moment) { lists[room, default: []] += [] }
        var targets: [RoomNumber: SlidingTarget] = [:]
        for (room, names) in lists {
            guard let entry = moment.rooms.rooms[room], !entry.isForgotten, entry.position <= moment.end.position else {
                continue
            }
            let names = names.sorted()
            // Of a room that was left there is no rule any more, but what was sent of it may be told of for the last time.
            let config =
                work.config(names, work.subscriptions[room]) ?? CombinedConfig(timelineLimit: 1, state: Self.ownState)
            targets[room] = SlidingTarget(lists: names, isSubscribed: work.subscriptions[room] != nil, config: config)
        }
        return targets
    }

    private static let ownState = CombinedState([.none])

    /// Rooms that were sent as the user's, and are no more.
    private func leavings(_ work: SlidingWork, _ moment: SlidingMoment) -> [RoomNumber] {
        (moment.news?.changes.ownMemberships ?? []).filter { room in
            guard let membership = moment.rooms.rooms[room]?.membership, membership == .leave || membership == .ban
            else {
                return false
            }
            return work.state.rooms[room].map { $0.kind != .left } ?? false
        }
    }
}
