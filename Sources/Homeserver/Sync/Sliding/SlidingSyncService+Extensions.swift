import Matrix
import Store

/// What is told beside rooms.
extension SlidingSyncService {
    /// How many messages to a device are sent at once at the most.
    private static let messageLimit = 100

    /// The messages that wait for the device, if they are wanted.
    func messages(
        _ work: inout SlidingWork, _ moment: SlidingMoment
    ) async throws -> (events: [[UInt8]], next: StreamPosition)? {
        guard let wanted = work.request.extensions.toDevice else { return nil }
        let end = moment.end.position
        guard let device = work.request.user.device else { return ([], end) }
        // What the client has it has told; a token from after the end is of a database that has been restored since.
        let told = wanted.since.map { $0 > end ? StreamPosition(0) : $0 } ?? StreamPosition(0)
        let from = max(told, work.messagesThrough)
        if let since = moment.since, let news = moment.news, news.isComplete, !news.changes.hasMessages,
            from >= since.position
        {
            work.messagesThrough = end
            return ([], end)
        }
        let limit = min(max(wanted.limit, 1), Self.messageLimit)
        let messages = try await sync.devices.messages(
            for: work.request.user.number, device, after: from, through: end, limit: limit)
        if messages.isEmpty { work.messagesThrough = end }
        // Those that did not fit wait for the next request, and must not be taken for delivered.
        return (messages.map(\.content), messages.count >= limit ? messages.last?.position ?? end : end)
    }

    /// What extensions say when nothing has happened.
    func addQuietExtensions(_ work: SlidingWork, to answer: inout SlidingAnswer) async throws {
        let wanted = work.request.extensions
        if wanted.encryption {
            answer.deviceLists = ([], [])
            if let device = work.request.user.device {
                answer.keyCounts = try await sync.devices.keyCounts(of: work.request.user.number, device)
            }
        }
        if wanted.accountData != nil { answer.accountData = [] }
        if wanted.receipts != nil { answer.receipts = [] }
        if wanted.typing != nil { answer.typing = [] }
    }

    func addExtensions(
        _ targets: [RoomNumber: SlidingTarget], _ work: inout SlidingWork, _ moment: SlidingMoment,
        to answer: inout SlidingAnswer
    ) async throws {
        try await addQuietExtensions(work, to: &answer)
        let user = work.request.user
        if work.request.extensions.encryption {
            if let since = moment.since, let news = moment.news {
                let met = try await sync.peopleMet(
                    news.changes, moment.rooms, user, since: since.position, isComplete: news.isComplete)
                answer.deviceLists = try await sync.deviceLists(news.changes, met, user)
                answer.keyCountsChanged = news.isComplete && news.changes.hasKeyCounts
            } else {
                answer.deviceLists = nil
            }
        }
        if let scope = work.request.extensions.accountData {
            try await addAccountData(scope, targets, &work, moment, to: &answer)
        }
        if let scope = work.request.extensions.receipts {
            try await addReceipts(scope, targets, &work, moment, to: &answer)
        }
        if let scope = work.request.extensions.typing {
            try await addTyping(scope, targets, work, moment, to: &answer)
        }
        try await addThreadSubscriptions(&work, moment, to: &answer)
    }

    private func rooms(
        in scope: SlidingExtensions.RoomScope, _ targets: [RoomNumber: SlidingTarget], _ moment: SlidingMoment
    ) async throws -> [RoomNumber] {
        var rooms: [RoomNumber] = []
        for (room, target) in targets where moment.rooms.rooms[room]?.membership == .join {
            var isInside = target.lists.contains { scope.lists?.contains($0) ?? true }
            if !isInside, let named = scope.rooms {
                isInside = named.contains(try await store.room(room))
            } else if !isInside {
                isInside = target.isSubscribed
            }
            if isInside { rooms.append(room) }
        }
        return rooms.sorted()
    }

    // MARK: Account data

    private func addAccountData(
        _ scope: SlidingExtensions.RoomScope, _ targets: [RoomNumber: SlidingTarget], _ work: inout SlidingWork,
        _ moment: SlidingMoment, to answer: inout SlidingAnswer
    ) async throws {
        let user = work.request.user.number
        let era = work.state.accountData.number
        let inside = try await rooms(in: scope, targets, moment)
        let changes = moment.news?.changes.accountData ?? []
        let fresh = inside.filter { work.state.rooms[$0].map { $0.accountData != era } ?? false }
        let owed = work.owed.filter { room, _ in inside.contains(room) && !fresh.contains(room) }
        var byRoom: [RoomNumber: [AccountDataRecord]] = [:]
        let isFirst = work.state.globalAccountData != era
        if isFirst || !fresh.isEmpty {
            let all = try await sync.users.accountData(of: user)
            let wanted = Set(fresh)
            for data in all {
                if let room = data.room, wanted.contains(room) { byRoom[room, default: []].append(data) }
            }
            if isFirst { answer.accountData = all.filter { $0.room == nil } }
        }
        if !isFirst { answer.accountData = changes.filter { $0.room == nil } }
        if let earliest = owed.values.min() {
            let late = try await sync.users.accountData(of: user, after: earliest, through: moment.end.position)
            for data in late {
                if let room = data.room, owed[room] != nil { byRoom[room, default: []].append(data) }
            }
        }
        let live = Set(inside).subtracting(fresh).subtracting(owed.keys)
        for data in changes {
            guard let room = data.room else { continue }
            if live.contains(room) {
                byRoom[room, default: []].append(data)
            } else if targets[room] != nil, !inside.contains(room) {
                // Nobody is told now: when it is wanted again, all of it is sent.
                work.state.rooms[room]?.accountData = 0
            }
        }
        for room in fresh { work.state.rooms[room]?.accountData = era }
        work.state.globalAccountData = era
        for (room, data) in byRoom.sorted(by: { $0.key < $1.key }) {
            answer.roomAccountData.append((try await store.room(room), data))
        }
    }

    // MARK: Receipts

    private func addReceipts(
        _ scope: SlidingExtensions.RoomScope, _ targets: [RoomNumber: SlidingTarget], _ work: inout SlidingWork,
        _ moment: SlidingMoment, to answer: inout SlidingAnswer
    ) async throws {
        let era = work.state.receipts.number
        let user = work.request.user.number
        let inside = try await rooms(in: scope, targets, moment)
        let changes = moment.news?.changes
        var timelines: [RoomNumber: [EventID]] = [:]
        var fresh: Set<RoomNumber> = []
        for result in answer.rooms where result.isInitial || result.isExpanded {
            guard let room = try await store.number(of: result.room) else { continue }
            timelines[room] = result.timeline?.map(\.event.eventID) ?? []
            fresh.insert(room)
        }
        fresh.formUnion(inside.filter { work.state.rooms[$0].map { $0.receipts != era } ?? false })
        fresh.formIntersection(inside)
        var byRoom = try await receipts(of: fresh, timelines, user)
        let owed = work.owed.filter { room, _ in inside.contains(room) && !fresh.contains(room) }
        for (room, after) in owed {
            byRoom[room, default: []] += try await sync.users.receipts(
                in: [room], for: user, after: after, through: moment.end.position)
        }
        for (room, receipts) in changes?.receipts ?? [:] where targets[room] != nil && owed[room] == nil {
            if !inside.contains(room) {
                work.state.rooms[room]?.receipts = 0
            } else if !fresh.contains(room) || timelines[room] == nil {
                byRoom[room, default: []] += receipts
            }
        }
        for room in fresh { work.state.rooms[room]?.receipts = era }
        var events: [(room: RoomID, event: [UInt8])] = []
        for (room, receipts) in byRoom.sorted(by: { $0.key < $1.key }) where !receipts.isEmpty {
            events.append((try await store.room(room), ReceiptEvent.text(of: receipts)))
        }
        answer.receipts = events
    }

    /// Of rooms that are told from the beginning: receipts on the events that are shown, and the user's own. All of them would be as many
    /// as the room has members.
    private func receipts(
        of rooms: Set<RoomNumber>, _ timelines: [RoomNumber: [EventID]], _ user: UserNumber
    ) async throws -> [RoomNumber: [ReceiptRecord]] {
        var byRoom: [RoomNumber: [ReceiptRecord]] = [:]
        let all = rooms.sorted()
        for start in stride(from: 0, to: all.count, by: RoomPicture.roomsAtOnce) {
            let some = Array(all[start..<min(start + RoomPicture.roomsAtOnce, all.count)])
            let read = try await store.read { reader in
                var found = try reader.receipts.receipts(of: user, in: some).map(\.receipt)
                for room in some {
                    guard let events = timelines[room], !events.isEmpty else { continue }
                    found += try reader.receipts.receipts(in: room, on: events, visibleTo: user).map(\.receipt)
                        .filter { $0.user != user }
                }
                return found
            }
            for receipt in read where receipt.type != "m.fully_read" {
                byRoom[receipt.room, default: []].append(receipt)
            }
        }
        return byRoom
    }

    // MARK: Typing

    private func addTyping(
        _ scope: SlidingExtensions.RoomScope, _ targets: [RoomNumber: SlidingTarget], _ work: SlidingWork,
        _ moment: SlidingMoment, to answer: inout SlidingAnswer
    ) async throws {
        var fresh: Set<RoomID> = []
        for result in answer.rooms where result.isInitial { fresh.insert(result.room) }
        var events: [(room: RoomID, event: [UInt8])] = []
        for room in try await rooms(in: scope, targets, moment) {
            let id = try await store.room(room)
            let typists = sync.typing.typists(in: room)
            guard moment.typing.contains(room) || fresh.contains(id) && !typists.isEmpty else { continue }
            var writer = JSONWriter()
            writer.beginObject()
            writer.member("type", "m.typing")
            writer.key("content")
            writer.beginObject()
            writer.key("user_ids")
            writer.beginArray()
            for typist in typists { writer.write(typist) }
            writer.endArray()
            writer.endObject()
            writer.endObject()
            events.append((id, writer.bytes))
        }
        answer.typing = events
    }
}
