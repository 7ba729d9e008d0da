import Matrix
import Store

/// How a room that the user is in is told of.
private struct JoinedPlan {
    /// What was sent of it; `nil` if it is told from the beginning.
    var sent: SentRoom?
    /// Up to where the client knows it; `nil` if it is told from the beginning.
    var from: StreamPosition?
    /// Every event since, if they are at hand.
    var known: [StoredEvent]?
    /// Whether there may be news in its timeline and state.
    var hasNews = false
    /// Whether its state has changed otherwise than by those events.
    var isReset = false
    /// Whether more of its history is wanted than was sent.
    var isExpanded = false
    /// Whether more of its state is wanted than was sent.
    var wantsMoreState = false
    var unreadChanged = false
    var isDirect = false

    var isInitial: Bool { sent == nil }
    var isDirectChanged: Bool { sent.map { $0.isDirect != isDirect } ?? isDirect }
    var isNeeded: Bool {
        isInitial || hasNews || isExpanded || wantsMoreState || unreadChanged || isDirectChanged
    }
}

extension SlidingSyncService {
    /// What there is to say of the rooms that are wanted.
    func rooms(
        _ targets: [RoomNumber: SlidingTarget], _ work: inout SlidingWork, _ moment: SlidingMoment
    ) async throws -> [SlidingRoomResult] {
        guard !targets.isEmpty else { return [] }
        let ignored = try await sync.users.ignoredUsers(of: work.request.user.number)
        var plans: [(room: RoomNumber, plan: JoinedPlan)] = []
        var results: [SlidingRoomResult] = []
        for (room, target) in targets.sorted(by: { $0.key < $1.key }) {
            guard let entry = moment.rooms.rooms[room] else { continue }
            switch entry.membership {
            case .join:
                let plan = try await plan(room, target, entry, &work, moment)
                if plan.isNeeded { plans.append((room, plan)) }
            case .invite, .knock:
                if let result = try await stripped(room, target, entry, ignored, &work) { results.append(result) }
            case .leave, .ban:
                if let result = try await left(room, target, entry, ignored, &work) { results.append(result) }
            }
        }
        var pictures: [RoomNumber: RoomPicture] = [:]
        let fresh = plans.filter(\.plan.isInitial).compactMap { room, _ in targets[room].map { (room, $0.config) } }
        for start in stride(from: 0, to: fresh.count, by: RoomPicture.roomsAtOnce) {
            let some = Array(fresh[start..<min(start + RoomPicture.roomsAtOnce, fresh.count)])
            let user = work.request.user.number
            let read = try await store.read {
                try RoomPicture.read(some, for: user, through: moment.end.position, $0)
            }
            pictures.merge(read) { first, _ in first }
        }
        let unread =
            work.request.form == .experimental
            ? try await sync.users.unread(of: work.request.user, in: plans.map(\.room), through: moment.end.position)
            : [:]
        for (room, plan) in plans {
            guard let target = targets[room] else { continue }
            let picture: RoomPicture
            if let read = pictures[room] { picture = read } else { picture = try await self.picture(room, moment) }
            var result = try await joined(room, plan, target, picture, ignored, &work, moment)
            if !result.isEmpty || plan.unreadChanged { result.unread = unread[room] }
            if !result.isEmpty { results.append(result) }
        }
        return results
    }

    private func picture(_ room: RoomNumber, _ moment: SlidingMoment) async throws -> RoomPicture {
        let head = try await sync.rooms.view(room).head
        var state = head.state
        if head.position > moment.end.position, let past = try await sync.stateAt(moment.end.position, in: room) {
            state = past
        }
        return RoomPicture(state: state, joined: head.joinedCount, invited: head.invitedCount)
    }

    // MARK: Rooms that the user is in

    private func plan(
        _ room: RoomNumber, _ target: SlidingTarget, _ entry: UserRooms.Entry, _ work: inout SlidingWork,
        _ moment: SlidingMoment
    ) async throws -> JoinedPlan {
        var plan = JoinedPlan()
        plan.isDirect = try await account(&work).directs.contains(try await store.room(room))
        guard let sent = work.state.rooms[room], sent.kind == .joined, let since = moment.since, let news = moment.news
        else { return plan }
        let from = sent.through ?? since.position
        let changes = news.changes
        if try await sync.isNewlyJoined(entry, changes.ownMemberships.contains(room) || sent.through != nil, from) {
            return plan
        }
        plan.sent = sent
        plan.from = from
        plan.isReset = changes.resetRooms.contains(room)
        plan.hasNews = changes.events[room] != nil || plan.isReset || sent.through != nil
        if sent.through == nil, news.isComplete { plan.known = changes.events[room] ?? [] }
        plan.isExpanded = target.config.timelineLimit > Int(sent.timelineLimit)
        plan.wantsMoreState = sent.state.union(target.config.state) != sent.state
        plan.unreadChanged = changes.ownReceipts.contains(room) && work.request.form == .experimental
        return plan
    }

    private func joined(
        _ room: RoomNumber, _ plan: JoinedPlan, _ target: SlidingTarget, _ picture: RoomPicture,
        _ ignored: Set<UserID>, _ work: inout SlidingWork, _ moment: SlidingMoment
    ) async throws -> SlidingRoomResult {
        var result = SlidingRoomResult(try await store.room(room), .join)
        result.lists = target.lists
        result.isInitial = plan.isInitial
        result.isExpanded = plan.isExpanded
        if plan.isDirectChanged { result.isDirect = plan.isDirect }
        try await addTimeline(to: &result, room, plan, target, picture, ignored, &work, moment)
        let changed = plan.isInitial || !plan.hasNews ? [:] : try await changedState(room, plan, picture.state, moment)
        let sentState = try await addState(to: &result, plan, target, picture, changed, &work)
        try await addNames(to: &result, room, plan, picture, changed, work)
        result.bumpStamp = try await bumpStamp(room, plan, result, picture, moment)
        var sent =
            plan.sent
            ?? SentRoom(
                kind: .joined, isDirect: plan.isDirect, timelineLimit: Int32(target.config.timelineLimit), through: nil,
                state: sentState)
        sent.isDirect = plan.isDirect
        sent.through = nil
        sent.state = sentState
        if plan.isExpanded
            || (result.isLimited || target.config.timelineLimit == 0 && plan.hasNews)
                && target.config.timelineLimit < Int(sent.timelineLimit)
        {
            sent.timelineLimit = Int32(target.config.timelineLimit)
        }
        work.state.rooms[room] = sent
        return result
    }

    private func addTimeline(
        to result: inout SlidingRoomResult, _ room: RoomNumber, _ plan: JoinedPlan, _ target: SlidingTarget,
        _ picture: RoomPicture, _ ignored: Set<UserID>, _ work: inout SlidingWork, _ moment: SlidingMoment
    ) async throws {
        let limit = target.config.timelineLimit
        let isHistory = plan.isInitial || plan.isExpanded
        guard limit > 0, isHistory || plan.hasNews else { return }
        let timeline = try await sync.timeline(
            room, work.timelineRequest(limit), known: isHistory ? nil : plan.known, page: picture.page,
            pageSize: RoomPicture.pageSize(limit), since: isHistory ? nil : plan.from, through: moment.end.position,
            checkVisibility: isHistory, isJoined: true, current: picture.state, ignored: ignored)
        result.timeline = timeline.events
        result.isLimited = timeline.isLimited
        result.prevBatch = timeline.prevBatch
        guard let since = moment.since else { return }
        result.liveCount = timeline.events.reversed().prefix { $0.position ?? since.position > since.position }.count
    }

    /// The entries of a room's state that are not what the client knows; `nil` for those that are gone.
    private func changedState(
        _ room: RoomNumber, _ plan: JoinedPlan, _ state: StateMap, _ moment: SlidingMoment
    ) async throws -> [StateKeyNumber: EventNumber?] {
        var changed: [StateKeyNumber: EventNumber?] = [:]
        // Where branches of the room's graph met, what has changed is not just what the events say.
        if let known = plan.known, !plan.isReset, !known.contains(where: { $0.roomState != nil }) {
            for event in known where event.status == .accepted {
                if let key = event.stateKey { changed[key] = .some(state[key]) }
            }
            return changed
        }
        let before = try await plan.from.asyncMap { try await sync.stateAt($0, in: room) } ?? nil
        guard let before else {
            for (key, event) in state { changed[key] = .some(event) }
            return changed
        }
        for (key, event) in state where before[key] != event { changed[key] = .some(event) }
        for key in before.keys where state[key] == nil { changed[key] = .some(nil) }
        return changed
    }

    /// Adds the state that the client is to know.
    ///
    /// - Returns: What the client has been sent of the room's state then.
    private func addState(
        to result: inout SlidingRoomResult, _ plan: JoinedPlan, _ target: SlidingTarget, _ picture: RoomPicture,
        _ changed: [StateKeyNumber: EventNumber?], _ work: inout SlidingWork
    ) async throws -> CombinedState {
        let wanted = target.config.state
        var sentState = plan.sent?.state ?? wanted
        var events = Set(picture.wanted)
        let names =
            changed.isEmpty
            ? [:]
            : try await store.read { [keys = Array(changed.keys)] in
                try $0.identifiers.stateKeys(keys)
            }
        for (key, event) in changed {
            guard let name = names[key] else { continue }
            let isMember = wanted.lazyMembers && name.type == .member && !result.isLimited
            if wanted.matches(name) || isMember {
                if let event { events.insert(event) } else { result.removedState.append(name) }
            } else if sentState.matches(name) {
                // Not sent, though it was before: what was sent then is out of date.
                sentState = wanted
            }
        }
        if let sent = plan.sent, plan.wantsMoreState {
            let state = picture.state
            events.formUnion(
                try await store.read { reader in
                    let all = try StateSelector(wanted, reader).select(state, reader)
                    let known = Set(try StateSelector(sent.state, reader).select(state, reader))
                    return all.filter { !known.contains($0) }
                })
            sentState = work.cache.share(sentState.union(wanted))
        }
        if wanted.lazyMembers {
            let spoken = try await members(in: result.timeline ?? [], picture.state)
            events.formUnion(plan.isInitial ? spoken : spoken.filter { !work.state.members.contains($0) })
        }
        result.state = try await load(events, picture).sorted { $0.number < $1.number }
        work.state.noteMembers(result.state.lazy.filter { $0.event.type == .member }.map(\.number))
        return sentState
    }

    /// The memberships of those who occur in a timeline.
    private func members(in timeline: [StoredEvent], _ state: StateMap) async throws -> [EventNumber] {
        var users: Set<StateKey> = []
        for event in timeline {
            users.insert(.member(event.event.sender))
            if event.event.type == .member, let subject = event.event.stateKey {
                users.insert(StateKey(.member, subject.string))
            }
        }
        var found: [EventNumber] = []
        for user in users {
            if let key = try await store.number(of: user), let event = state[key] { found.append(event) }
        }
        return found
    }

    private func load(_ numbers: some Sequence<EventNumber>, _ picture: RoomPicture) async throws -> [StoredEvent] {
        var found: [StoredEvent] = []
        var missing: [EventNumber] = []
        for number in numbers {
            if let event = picture.events[number] { found.append(event) } else { missing.append(number) }
        }
        return missing.isEmpty ? found : found + (try await store.events(missing)).values
    }

    // MARK: What a room is called, and how many are in it

    private func addNames(
        to result: inout SlidingRoomResult, _ room: RoomNumber, _ plan: JoinedPlan, _ picture: RoomPicture,
        _ changed: [StateKeyNumber: EventNumber?], _ work: SlidingWork
    ) async throws {
        let nameKey = try await store.number(of: StateKey(.name))
        let name = try await text("name", nameKey, picture)
        let avatarKey = try await store.number(of: StateKey(.avatar))
        if plan.isInitial {
            result.name = name.map { .value($0) } ?? .unchanged
            result.avatar = try await text("url", avatarKey, picture).map { .value($0) } ?? .unchanged
        } else {
            if let nameKey, changed[nameKey] != nil { result.name = name.map { .value($0) } ?? .removed }
            if let avatarKey, changed[avatarKey] != nil {
                result.avatar = try await text("url", avatarKey, picture).map { .value($0) } ?? .removed
            }
        }
        let membersChanged = try await hasMember(changed)
        guard plan.isInitial || membersChanged || result.name == .removed else { return }
        if plan.isInitial || membersChanged { result.counts = (picture.joined, picture.invited) }
        guard name == nil else { return }
        if let heroes = picture.heroes {
            result.heroes = heroes
        } else {
            let user = work.request.user.number
            result.heroes = try await store.read {
                try RoomPicture.readHeroes(of: room, picture.state, besides: user, $0)
            }
        }
    }

    private func text(_ member: String, _ key: StateKeyNumber?, _ picture: RoomPicture) async throws -> String? {
        guard let number = key.flatMap({ picture.state[$0] }) else { return nil }
        let event: StoredEvent?
        if let read = picture.events[number] { event = read } else { event = try await store.event(number) }
        guard let text = event?.event.content[member]?.string, !text.isEmpty else { return nil }
        return text
    }

    private func hasMember(_ changed: [StateKeyNumber: EventNumber?]) async throws -> Bool {
        for key in changed.keys where try await store.stateKey(key).type == .member { return true }
        return false
    }

    private func bumpStamp(
        _ room: RoomNumber, _ plan: JoinedPlan, _ result: SlidingRoomResult, _ picture: RoomPicture,
        _ moment: SlidingMoment
    ) async throws -> StreamPosition? {
        let end = moment.end.position
        if plan.isInitial {
            if let stamp = picture.page?.lazy.compactMap({ BumpStamp.stamp(of: $0) }).first { return stamp }
            let found = try await store.read {
                try BumpStamp.search(room, after: StreamPosition(0), through: end, $0)
            }
            return found ?? moment.rooms.rooms[room]?.position
        }
        guard plan.hasNews else { return nil }
        if let known = plan.known { return known.reversed().lazy.compactMap { BumpStamp.stamp(of: $0) }.first }
        guard let from = plan.from else { return nil }
        return try await store.read { try BumpStamp.search(room, after: from, through: end, $0) }
    }

    // MARK: Other rooms

    private func stripped(
        _ room: RoomNumber, _ target: SlidingTarget, _ entry: UserRooms.Entry, _ ignored: Set<UserID>,
        _ work: inout SlidingWork
    ) async throws -> SlidingRoomResult? {
        if let sent = work.state.rooms[room], sent.kind == .stripped, let since = work.state.token,
            entry.position <= since.position
        {
            return nil
        }
        guard let event = try await store.event(entry.event), !ignored.contains(event.event.sender) else { return nil }
        if entry.membership == .invite,
            try await sync.users.hides(inviteBy: event.event.sender, from: work.request.user.number)
        {
            return nil
        }
        var result = SlidingRoomResult(try await store.room(room), entry.membership)
        result.lists = target.lists
        result.isInitial = true
        result.bumpStamp = entry.position
        result.stripped = try await sync.strippedState(room, for: work.request.user, membership: event)
        if try await account(&work).directs.contains(result.room) { result.isDirect = true }
        work.state.rooms[room] = SentRoom(
            kind: .stripped, isDirect: false, timelineLimit: 0, through: nil, state: target.config.state)
        return result
    }

    private func left(
        _ room: RoomNumber, _ target: SlidingTarget, _ entry: UserRooms.Entry, _ ignored: Set<UserID>,
        _ work: inout SlidingWork
    ) async throws -> SlidingRoomResult? {
        let sent = work.state.rooms[room]
        let since = work.state.token?.position
        if let sent, sent.kind == .left, let since, entry.position <= since { return nil }
        guard let leave = try await store.event(entry.event) else { return nil }
        var result = SlidingRoomResult(try await store.room(room), entry.membership)
        result.lists = target.lists
        result.bumpStamp = entry.position
        let from = sent.flatMap { $0.kind == .joined ? $0.through ?? since : nil }
        result.isInitial = from == nil
        let before = try await leave.replaces.asyncMap { try await store.event($0) } ?? nil
        if let after = leave.timelineState, before.flatMap({ Membership(of: $0.event) }) == .join {
            let limit = max(1, target.config.timelineLimit)
            let timeline = try await sync.timeline(
                room, work.timelineRequest(limit), known: nil, since: from, through: entry.position,
                checkVisibility: true, isJoined: false, current: StateMap(), ignored: ignored)
            result.timeline = timeline.events
            result.isLimited = timeline.isLimited
            result.prevBatch = timeline.prevBatch
            if let since { result.liveCount = timeline.events.count { $0.position ?? since > since } }
            let state = try await store.state(after)
            let known = try await from.asyncMap { try await sync.stateAt($0, in: room) } ?? nil
            let wanted = target.config.state
            let selected = try await store.read { try StateSelector(wanted, $0).select(state, $0) }
            let unknown = Set(known?.values.map { $0 } ?? [])
            result.state = try await store.events(selected.filter { !unknown.contains($0) }).values.sorted {
                $0.number < $1.number
            }
            if from == nil {
                let picture = RoomPicture(state: state, joined: 0, invited: 0)
                result.name =
                    try await text("name", try await store.number(of: StateKey(.name)), picture)
                    .map { .value($0) } ?? .unchanged
            }
        } else {
            // An invitation declined or taken back, a knock answered, a ban from outside: that is all there is to see.
            result.timeline = [leave]
            result.prevBatch = SyncToken(StreamPosition(entry.position.rawValue - 1))
        }
        // By it clients see that they are not in the room any more.
        if !result.state.contains(where: { $0.number == leave.number }) { result.state.append(leave) }
        work.state.rooms[room] = SentRoom(
            kind: .left, isDirect: false, timelineLimit: Int32(target.config.timelineLimit), through: nil,
            state: target.config.state)
        return result
    }
}
