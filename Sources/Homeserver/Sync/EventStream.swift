import Matrix
import Store

/// What a client asks of `/events`, the stream that `/sync` has replaced.
///
/// [GET /events](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3events)
public struct EventStreamRequest: Sendable {
    /// Who asks.
    public var user: Requester
    /// Where the last answer ended; now if `nil`.
    public var from: SyncToken?
    /// How long to wait for something to happen, in milliseconds.
    public var timeoutMilliseconds: Int64
    /// A room to look into without being in it.
    public var room: RoomID?

    /// A request.
    public init(user: Requester, from: SyncToken?, timeoutMilliseconds: Int64, room: RoomID?) {
        self.user = user
        self.from = from
        self.timeoutMilliseconds = timeoutMilliseconds
        self.room = room
    }
}

extension SyncService {
    /// Looking into a room wakes nobody: who does so looks again this often.
    private static let peekIntervalMilliseconds: Int64 = 500

    /// The response's body: as soon as there is something to say, or the time is up.
    public func events(_ request: EventStreamRequest) async throws -> [UInt8] {
        // Whoever is connected to the stream is there: it has no way to say anything else.
        if let presence { await presence.seen(request.user, as: PresenceState.online.name) }
        let peeked = try await request.room.asyncMap { try await peekedRoom($0, by: request.user) } ?? nil
        let start = request.from ?? SyncToken(store.journal.end, typing: typing.serial)
        var from = start
        let deadline = clock.now + min(max(request.timeoutMilliseconds, 0), 120_000)
        while true {
            let (chunk, end) = try await streamed(request.user, after: from, peeked: peeked)
            if !chunk.isEmpty || clock.now >= deadline || Task.isCancelled {
                var writer = JSONWriter(capacity: 256 + chunk.count)
                writer.beginObject()
                writer.member("start", start.text)
                writer.member("end", end.text)
                writer.key("chunk")
                writer.beginArray()
                for event in chunk { writer.writeRaw(event) }
                writer.endArray()
                writer.endObject()
                return writer.bytes
            }
            from = end
            let wake = peeked == nil ? deadline : min(deadline, clock.now + Self.peekIntervalMilliseconds)
            await waitForChange(request.user.number, after: end, until: wake)
        }
    }

    private func peekedRoom(_ id: RoomID, by user: Requester) async throws -> RoomNumber {
        let room = try await rooms.number(of: id)
        _ = try await rooms.readableState(room, by: user)
        return room
    }

    private func streamed(
        _ user: Requester, after from: SyncToken, peeked: RoomNumber?
    ) async throws -> (chunk: [[UInt8]], end: SyncToken) {
        var known = try await activeUsers.rooms(of: user.number)
        let end = SyncToken(store.journal.end, typing: typing.serial)
        if let peeked, known.rooms[peeked]?.membership != .join {
            known.rooms[peeked] = .init(
                membership: .join, event: EventNumber(0), position: StreamPosition(0), isForgotten: false
            )
        }
        let typingRooms = typing.changed(known.joined, after: from.typing)
        let changes: SyncChanges
        if let entries = store.journal.entries(after: from.position, through: end.position) {
            for entry in entries { known.apply(entry, for: user.number) }
            changes = SyncChanges(entries, for: user, rooms: known)
        } else {
            changes = try await SyncChanges(
                user: user, rooms: known, after: from.position, through: end.position, store: store, userSource: users,
                devices: devices, presence: presence, timelineLimit: 100
            )
        }
        var chunk: [[UInt8]] = []
        for (room, all) in changes.events.sorted(by: { $0.key < $1.key }) {
            guard let entry = known.rooms[room] else { continue }
            let reachable =
                entry.membership == .join ? all : all.filter { ($0.position ?? entry.position) <= entry.position }
            let visible = try await EventVisibility(store: store).visible(
                reachable, in: room, to: user.number, id: user.id)
            let byNumber = Dictionary(uniqueKeysWithValues: visible.map { ($0.number, $0) })
            let shown = reachable.compactMap { event in
                byNumber[event.number] ?? (event.number == entry.event ? event : nil)
            }
            let rendered = try await RenderedEvents(shown, for: Viewer(user, now: clock.now), store: store)
            for event in shown {
                var writer = JSONWriter(capacity: 1_024)
                rendered.write(event, into: &writer, includeRoomID: true)
                chunk.append(writer.bytes)
            }
        }
        for room in typingRooms {
            let content: JSONValue = ["user_ids": .array(typing.typists(in: room).map { .string($0.string) })]
            let id = try await store.room(room)
            chunk.append(
                JSONValue.object(["type": "m.typing", "room_id": .string(id.string), "content": content]).serialized()
            )
        }
        for (room, receipts) in changes.receipts {
            var event = try JSON(parsing: ReceiptEvent.text(of: receipts)).value
            event["room_id"] = .string(try await store.room(room).string)
            chunk.append(event.serialized())
        }
        for data in changes.accountData {
            var event: JSONValue = ["type": .string(data.type), "content": try JSON(parsing: data.content).value]
            if let room = data.room { event["room_id"] = .string(try await store.room(room).string) }
            chunk.append(event.serialized())
        }
        chunk += try await presenceEvents(changes.presence, for: user.number, peeked: peeked)
        return (chunk, end)
    }

    /// Of those whose presence changed, what is told to a user: the user's own, that of people they share a room with, and that
    /// of the people in a room they look into.
    private func presenceEvents(
        _ changed: Set<UserNumber>, for me: UserNumber, peeked: RoomNumber?
    ) async throws -> [[UInt8]] {
        guard let presence, !changed.isEmpty else { return [] }
        let candidates = Array(changed)
        var visible = try await store.read { reader in
            var visible = Set(try reader.memberships.sharing(with: me, among: candidates))
            if let peeked { visible.formUnion(changed.intersection(try reader.memberships.users(in: peeked, .join))) }
            return visible
        }
        if changed.contains(me) { visible.insert(me) }
        return try await presence.events(about: visible.sorted(), naming: true)
    }
}
