import Matrix
import RoomEngine
import Store

extension SyncService {
    /// Messages to a device sent at once.
    private static let messageLimit = 100

    /// The response for a client that knows nothing, or wants to hear everything again.
    func initialResponse(_ request: SyncRequest) async throws -> [UInt8] {
        var rooms = try await activeUsers.rooms(of: request.user.number)
        rooms.removeGone(store)
        let end = SyncToken(store.journal.end, typing: typing.serial)
        var response = SyncResponse(next: end)
        let ignored = try await users.ignoredUsers(of: request.user.number)
        let accountData = try await users.accountData(of: request.user.number)
        let receipts = try await users.receipts(
            in: rooms.joined, for: request.user.number, after: StreamPosition(0), through: end.position
        )
        let receiptsByRoom = Dictionary(grouping: receipts) { $0.room }
        let dataByRoom = Dictionary(grouping: accountData.filter { $0.room != nil }) { $0.room ?? RoomNumber(0) }
        let since = request.since?.position
        let beforehand = try await roomsBeforehand(rooms.joined, request, since: since, through: end.position)
        for (room, entry) in rooms.rooms.sorted(by: { $0.key < $1.key }) where entry.position <= end.position {
            let id = try await store.room(room)
            guard request.filter.room.allows(id) else { continue }
            switch entry.membership {
            case .join:
                var section = try await joinedSection(
                    room, request, known: nil, page: beforehand.pages[room], since: since, through: end.position,
                    knownState: nil, isNew: since == nil, ignored: ignored
                )
                section.accountData = allowed(dataByRoom[room] ?? [], request.filter.room.accountData, id)
                section.ephemeral = try await ephemeral(
                    room, id, request, receipts: receiptsByRoom[room] ?? [],
                    // Also that nobody types any more, since of old servers say so.
                    typing: !typing.changed([room], after: .min).isEmpty
                )
                section.unread = beforehand.unread[room] ?? UnreadSummary()
                response.joined.append((id, section))
            case .invite, .knock:
                try await addStripped(room, id, entry, request, ignored, to: &response)
            case .leave, .ban:
                guard request.filter.room.includeLeave, !entry.isForgotten else { continue }
                if let section = try await leftSection(room, request, entry, since: since, ignored: ignored) {
                    response.left.append((id, section))
                }
            }
        }
        response.accountData = accountData.filter { data in
            data.room == nil && request.filter.accountData.allows(type: EventType(data.type), sender: nil)
        }
        try await addPresence(nil, request, to: &response)
        try await addDevice(request, since: nil, end: end, changed: true, hasMessages: true, to: &response)
        return try await response.write(request, store: store, now: clock.now)
    }

    /// Rooms whose timelines are read at once: a reader is not to be held up for long.
    private static let roomsAtOnce = 100

    /// What a first sync needs of each room, read for many rooms at once: going to the database costs more than what is read there.
    private func roomsBeforehand(
        _ joined: [RoomNumber], _ request: SyncRequest, since: StreamPosition?, through: StreamPosition
    ) async throws -> (pages: [RoomNumber: [StoredEvent]], unread: [RoomNumber: UnreadSummary]) {
        var wanted: [RoomNumber] = []
        for room in joined where request.filter.room.allows(try await store.room(room)) { wanted.append(room) }
        let unread = try await users.unread(of: request.user, in: wanted, through: through)
        let limit = Self.timelinePage(timelineLimit(request.filter))
        var pages: [RoomNumber: [StoredEvent]] = [:]
        for start in stride(from: 0, to: wanted.count, by: Self.roomsAtOnce) {
            let some = wanted[start..<min(start + Self.roomsAtOnce, wanted.count)]
            let read = try await store.read { reader in
                try some.map { room in
                    try reader.events.timeline(
                        room, after: since ?? StreamPosition(.min), through: through, limit: limit, newestFirst: true)
                }
            }
            for (room, page) in zip(some, read) { pages[room] = page }
        }
        return (pages, unread)
    }

    /// What has changed since a token.
    ///
    /// - Returns: The body, or `nil` if nothing has; and the token that stands for what was looked at.
    func incrementalResponse(_ request: SyncRequest, since: SyncToken) async throws -> (body: [UInt8]?, next: SyncToken)
    {
        // The rooms first: so they are never ahead of the entries, and what they lack is in the entries.
        var rooms = try await activeUsers.rooms(of: request.user.number)
        let end = SyncToken(store.journal.end, typing: typing.serial, message: nil)
        let typingRooms = end.typing == since.typing ? [] : typing.changed(rooms.joined, after: since.typing)
        let changes: SyncChanges
        let isComplete: Bool
        if let entries = store.journal.entries(after: since.position, through: end.position) {
            for entry in entries { rooms.apply(entry, for: request.user.number) }
            changes = SyncChanges(entries, for: request.user, rooms: rooms)
            isComplete = true
        } else {
            changes = try await SyncChanges(
                user: request.user, rooms: rooms, after: since.position, through: end.position, store: store,
                userSource: users, devices: devices, presence: presence, timelineLimit: timelineLimit(request.filter)
            )
            isComplete = false
        }
        let mayHaveMessages = changes.hasMessages || since.message < since.position
        if changes.isEmpty, typingRooms.isEmpty, !mayHaveMessages { return (nil, end) }
        return try await response(
            request, since: since, end: end, changes, rooms, typingRooms, isComplete: isComplete,
            mayHaveMessages: mayHaveMessages
        )
    }

    /// The response that tells of changes. Apart from looking for them, so that the stack of a task that only waits stays small.
    private func response(
        _ request: SyncRequest, since: SyncToken, end: SyncToken, _ changes: SyncChanges, _ rooms: UserRooms,
        _ typingRooms: [RoomNumber], isComplete: Bool, mayHaveMessages: Bool
    ) async throws -> (body: [UInt8]?, next: SyncToken) {
        var response = SyncResponse(next: end)
        let ignored = try await users.ignoredUsers(of: request.user.number)
        let dataByRoom = Dictionary(grouping: changes.accountData.filter { $0.room != nil }) {
            $0.room ?? RoomNumber(0)
        }
        var concerned = Set(changes.events.keys).union(changes.ownMemberships).union(changes.receipts.keys)
        concerned.formUnion(changes.resetRooms)
        concerned.formUnion(changes.ownReceipts)
        concerned.formUnion(dataByRoom.keys)
        concerned.formUnion(typingRooms)
        for room in concerned.sorted() {
            guard let entry = rooms.rooms[room], !store.isGone(room) else { continue }
            let id = try await store.room(room)
            guard request.filter.room.allows(id) else { continue }
            switch entry.membership {
            case .join:
                var isNew = try await isNewlyJoined(entry, changes.ownMemberships.contains(room), since.position)
                var section = SyncRoomSection(prevBatch: since)
                let hasEvents = changes.events[room] != nil || changes.resetRooms.contains(room)
                let knownState = hasEvents && !isNew ? try await stateAt(since.position, in: room) : nil
                // What the client knows of the room is not known here, since history was removed: it begins anew.
                if hasEvents, knownState == nil { isNew = true }
                if hasEvents || isNew {
                    section = try await joinedSection(
                        room, request, known: isComplete && !isNew ? changes.events[room] ?? [] : nil,
                        since: isNew ? nil : since.position, through: end.position,
                        knownState: knownState, isNew: isNew, ignored: ignored
                    )
                }
                section.accountData = allowed(dataByRoom[room] ?? [], request.filter.room.accountData, id)
                section.ephemeral = try await ephemeral(
                    room, id, request, receipts: changes.receipts[room] ?? [],
                    typing: typingRooms.contains(room) || (isNew && !typing.typists(in: room).isEmpty)
                )
                if hasEvents || isNew || changes.ownReceipts.contains(room) {
                    section.unread = try await users.unread(of: request.user, in: room, through: end.position)
                }
                if !section.isEmpty || changes.ownReceipts.contains(room) { response.joined.append((id, section)) }
            case .invite, .knock:
                if entry.position > since.position {
                    try await addStripped(room, id, entry, request, ignored, to: &response)
                }
            case .leave, .ban:
                guard entry.position > since.position, !entry.isForgotten else { continue }
                if let section = try await leftSection(room, request, entry, since: since.position, ignored: ignored) {
                    response.left.append((id, section))
                }
            }
        }
        response.accountData = changes.accountData.filter { data in
            data.room == nil && request.filter.accountData.allows(type: EventType(data.type), sender: nil)
        }
        let met = try await peopleMet(
            changes, rooms, request.user, since: since.position, isComplete: isComplete)
        try await addPresence(changes.presence.union(met.joined), request, to: &response)
        (response.devicesChanged, response.devicesLeft) = try await deviceLists(changes, met, request.user)
        try await addDevice(
            request, since: since, end: end, changed: changes.hasKeyCounts && isComplete, hasMessages: mayHaveMessages,
            to: &response
        )
        if response.isEmpty { return (nil, end) }
        return (try await response.write(request, store: store, now: clock.now), response.next)
    }

    private func allowed(_ data: [AccountDataRecord], _ filter: RoomEventFilter, _ room: RoomID) -> [AccountDataRecord]
    {
        data.filter { filter.rooms.allows(room) && filter.events.allows(type: EventType($0.type), sender: nil) }
    }

    /// Whether a user who is joined was not at `position`.
    func isNewlyJoined(_ entry: UserRooms.Entry, _ changed: Bool, _ position: StreamPosition) async throws
        -> Bool
    {
        guard changed, entry.position > position else { return false }
        // A change of name is a join after a join: go back to the membership that the client knows.
        var event = try await store.event(entry.event)
        while let current = event {
            guard let place = current.position else { return try await !isJoined(current, at: position) }
            guard place > position else { return false }
            guard let replaced = current.replaces else { return true }
            event = try await store.event(replaced)
            if let before = event, Membership(of: before.event) != .join { return true }
        }
        return false
    }

    /// Whether the user of a membership that is in no timeline, since history was removed, was joined at `position`: not, if that is not
    /// known any more.
    private func isJoined(_ membership: StoredEvent, at position: StreamPosition) async throws -> Bool {
        guard let key = membership.stateKey, let event = try await stateAt(position, in: membership.room)?[key] else {
            return false
        }
        return try await store.event(event).flatMap { Membership(of: $0.event) } == .join
    }

    /// Whether a user who has left was joined at `position`.
    func wasJoined(_ leave: StoredEvent, at position: StreamPosition) async throws -> Bool {
        var event: StoredEvent? = leave
        while let current = event, let place = current.position, place > position {
            event = try await current.replaces.asyncMap { try await store.event($0) } ?? nil
        }
        return event.flatMap { Membership(of: $0.event) } == .join
    }

    /// The state of a room as it was at a place of the journal; `nil` if it was not known then, or is not any more.
    func stateAt(_ position: StreamPosition, in room: RoomNumber) async throws -> StateMap? {
        let found = try await store.read { try $0.events.roomState(of: room, at: position, asAnnounced: true) }
        guard let state = found else { return nil }
        return try await store.state(state)
    }

    private func joinedSection(
        _ room: RoomNumber, _ request: SyncRequest, known: [StoredEvent]?, page: [StoredEvent]? = nil,
        since: StreamPosition?, through: StreamPosition, knownState: StateMap?, isNew: Bool, ignored: Set<UserID>
    ) async throws -> SyncRoomSection {
        let view = try await rooms.view(room)
        var endState = view.head.state
        if view.head.position > through, let past = try await stateAt(through, in: room) { endState = past }
        let (events, isLimited, prevBatch) = try await timeline(
            room, request, known: known, page: page, since: since, through: through, checkVisibility: isNew,
            isJoined: true, current: endState, ignored: ignored
        )
        var section = SyncRoomSection(timeline: events, isLimited: isLimited, prevBatch: prevBatch)
        section.sticky = try await stickySection(
            room, known: known, since: since, through: through, timeline: events, ignored: ignored)
        // Who has just come in has not seen what came before, unless the room begins here.
        if isNew, request.since != nil, events.first?.event.type != .create { section.isLimited = true }
        let sendsAll = isNew || request.fullState
        section.state = try await state(
            room, request, from: sendsAll ? nil : knownState ?? endState, timeline: events, end: endState,
            sendsAll: sendsAll
        )
        if isNew || (known ?? events).contains(where: { $0.event.type == .member })
            || section.state.contains(where: { $0.event.type == .member })
        {
            section.summary = try await summary(view, for: request.user)
        }
        return section
    }

    private func leftSection(
        _ room: RoomNumber, _ request: SyncRequest, _ entry: UserRooms.Entry, since: StreamPosition?,
        ignored: Set<UserID>
    ) async throws -> SyncRoomSection? {
        guard let leave = try await store.event(entry.event) else { return nil }
        let previous = try await leave.replaces.asyncMap { try await store.event($0) } ?? nil
        guard let after = leave.timelineState, previous.flatMap({ Membership(of: $0.event) }) == .join else {
            // An invitation declined or taken back, a knock answered, a ban from outside: that is all there is to see.
            var section = SyncRoomSection(prevBatch: SyncToken(StreamPosition(entry.position.rawValue - 1)))
            section.timeline = [leave]
            return section
        }
        let (events, isLimited, prevBatch) = try await timeline(
            room, request, known: nil, since: since, through: entry.position, checkVisibility: true, isJoined: false,
            current: StateMap(), ignored: ignored
        )
        var section = SyncRoomSection(timeline: events, isLimited: isLimited, prevBatch: prevBatch)
        let endState = try await store.state(after)
        var knownState: StateMap?
        if let since, try await wasJoined(leave, at: since) { knownState = try await stateAt(since, in: room) }
        section.state = try await state(
            room, request, from: knownState, timeline: events, end: endState, sendsAll: knownState == nil
        )
        return section
    }

    private func addStripped(
        _ room: RoomNumber, _ id: RoomID, _ entry: UserRooms.Entry, _ request: SyncRequest, _ ignored: Set<UserID>,
        to response: inout SyncResponse
    ) async throws {
        guard let event = try await store.event(entry.event), !ignored.contains(event.event.sender) else { return }
        if entry.membership == .invite,
            try await users.hides(inviteBy: event.event.sender, from: request.user.number)
        {
            return
        }
        let state = try await strippedState(room, for: request.user, membership: event)
        if entry.membership == .invite {
            response.invited.append((id, state))
        } else {
            response.knocked.append((id, state))
        }
    }

    /// What a user who is invited or has knocked is told of a room.
    func strippedState(
        _ room: RoomNumber, for user: Requester, membership: StoredEvent
    ) async throws -> StrippedState {
        let told = try await store.read { try $0.graph.strippedState(of: room, for: user.number) }
        if let told {
            let own = ExactString(user.id.string)
            let others = try JSON(parsing: told).elements.filter { event in
                event["type"]?.string != EventType.member.string
                    || event["state_key"]?.string.map { ExactString($0) } != own
            }
            return StrippedState(told: others, events: [membership])
        }
        let view = try await rooms.view(room)
        var state = StrippedState()
        for key in RoomService.strippedKeys {
            if let found = try await view.event(key) { state.events.append(found) }
        }
        let sender = membership.event.sender
        if sender != user.id, let inviter = try await view.event(.member(sender)) { state.events.append(inviter) }
        state.events.append(membership)
        return state
    }

    private func ephemeral(
        _ room: RoomNumber, _ id: RoomID, _ request: SyncRequest, receipts: [ReceiptRecord], typing isTyping: Bool
    ) async throws -> [[UInt8]] {
        let filter = request.filter.room.ephemeral
        var events: [[UInt8]] = []
        guard filter.rooms.allows(id) else { return [] }
        if !receipts.isEmpty, filter.events.allows(type: "m.receipt", sender: nil) {
            events.append(ReceiptEvent.text(of: receipts))
        }
        if isTyping, filter.events.allows(type: "m.typing", sender: nil) {
            var writer = JSONWriter()
            writer.beginObject()
            writer.member("type", "m.typing")
            writer.key("content")
            writer.beginObject()
            writer.key("user_ids")
            writer.beginArray()
            for user in typing.typists(in: room) { writer.write(user) }
            writer.endArray()
            writer.endObject()
            writer.endObject()
            events.append(writer.bytes)
        }
        return events
    }

    private func addPresence(
        _ changed: Set<UserNumber>?, _ request: SyncRequest, to response: inout SyncResponse
    ) async throws {
        guard let presence, request.filter.presence.types.allows("m.presence") else { return }
        var users = changed ?? []
        // Whoever knows nothing is told who is there; that all others are away goes without saying.
        if changed == nil { users = Set(try await presence.present()) }
        guard !users.isEmpty else { return }
        let candidates = Array(users)
        let me = request.user.number
        var visible = Set(try await store.read { try $0.memberships.sharing(with: me, among: candidates) })
        if users.contains(me) { visible.insert(me) }
        var told: [UserNumber] = []
        for user in visible.sorted() where request.filter.presence.senders.allows(try await store.user(user)) {
            told.append(user)
        }
        response.presence += try await presence.events(about: told, naming: false)
    }

    private func addDevice(
        _ request: SyncRequest, since: SyncToken?, end: SyncToken, changed: Bool, hasMessages: Bool,
        to response: inout SyncResponse
    ) async throws {
        guard let device = request.user.device else { return }
        response.keyCounts = try await devices.keyCounts(of: request.user.number, device)
        response.keyCountsChanged = changed
        guard hasMessages else { return }
        let messages = try await devices.messages(
            for: request.user.number, device, after: since?.message ?? StreamPosition(0), through: end.position,
            limit: Self.messageLimit
        )
        response.messages = messages.map(\.content)
        // Those that did not fit wait for the next request, and must not be taken for delivered.
        if messages.count >= Self.messageLimit, let last = messages.last {
            response.next = SyncToken(end.position, typing: end.typing, message: last.position)
        }
    }
}

extension UserRooms {
    /// Takes in a change of the user's own membership that the journal tells of.
    mutating func apply(_ entry: JournalEntry, for user: UserNumber) {
        guard case .event(let event, let subject) = entry.change, subject == user,
            let membership = Membership(of: event.event),
            entry.position > rooms[event.room]?.position ?? StreamPosition(.min)
        else { return }
        rooms[event.room] = Entry(
            membership: membership, event: event.number, position: entry.position, isForgotten: false)
    }
}

/// The ephemeral event that tells of receipts.
///
/// [m.receipt](https://spec.matrix.org/v1.19/client-server-api/#mreceipt)
enum ReceiptEvent {
    static func text(of receipts: [ReceiptRecord]) -> [UInt8] {
        var content = JSONObject()
        var byEvent: [EventID: [ReceiptRecord]] = [:]
        for receipt in receipts { byEvent[receipt.eventID, default: []].append(receipt) }
        for (event, receipts) in byEvent.sorted(by: { $0.key < $1.key }) {
            var byType: JSONValue = [:]
            for receipt in receipts {
                var users = byType[receipt.type] ?? [:]
                var data: JSONValue = ["ts": .integer(receipt.timestamp)]
                if let thread = receipt.thread { data["thread_id"] = .string(thread) }
                users[receipt.userID.string] = data
                byType[receipt.type] = users
            }
            content[event.string] = byType
        }
        return JSONValue.object(["type": "m.receipt", "content": .object(content)]).serialized()
    }
}
