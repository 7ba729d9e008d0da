import Matrix
import Store

/// Makes the bodies of transactions for one application service.
///
/// [PUT /transactions/{txnId}](https://spec.matrix.org/v1.19/application-service-api/#put_matrixappv1transactionstxnid), with what
/// [MSC2409](https://github.com/matrix-org/matrix-spec-proposals/pull/2409) and
/// [MSC3202](https://github.com/matrix-org/matrix-spec-proposals/pull/3202) add.
struct AppServiceTransactionBuilder: Sendable {
    /// A body, and how much of what waits is in it.
    struct Made: Sendable {
        /// A JSON text; `nil` if there is nothing to tell.
        var body: [UInt8]?
        /// Up to where what waits has been looked at; `nil` if nothing waits.
        var through: StreamPosition?
    }

    /// What is told beside events.
    private struct Extras {
        var ephemeral: [[UInt8]] = []
        var toDevice: [[UInt8]] = []
        var changedUsers: [UserID] = []
        var counts: [(user: UserID, device: DeviceID, counts: KeyCountsOfDevice)] = []

        var isEmpty: Bool { ephemeral.isEmpty && toDevice.isEmpty && changedUsers.isEmpty && counts.isEmpty }
    }

    let service: AppService
    let store: Store
    let clock: any Clock
    let typing: TypingService?
    let presence: PresenceService?
    let counts: KeyCounts

    /// More than so many bytes of events are not put into one transaction, give or take one event.
    private static let maximumEventBytes = 2 << 20
    /// Receipts of one user in one room that are told again: in so many threads.
    private static let maximumThreads = 20

    /// Makes a body.
    ///
    /// - Parameters:
    ///   - items: What waits, in order.
    ///   - rooms: Rooms of which it is told who is typing.
    func make(_ items: [AppServiceItem], typingIn rooms: [RoomNumber]) async throws -> Made {
        var made = Made()
        var writer = JSONWriter(capacity: 4_096)
        writer.beginObject()
        writer.key("events")
        writer.beginArray()
        let (count, taken) = try await write(items, into: &writer)
        writer.endArray()
        made.through = taken.last?.position
        let extras = try await extras(taken, typingIn: rooms)
        guard count > 0 || !extras.isEmpty else { return made }
        write(extras, into: &writer)
        writer.endObject()
        made.body = writer.bytes
        return made
    }

    /// Writes events, as long as there is room.
    ///
    /// - Returns: How many, and up to where the items were taken.
    private func write(
        _ items: [AppServiceItem], into writer: inout JSONWriter
    ) async throws -> (count: Int, taken: ArraySlice<AppServiceItem>) {
        let numbers = items.compactMap { item in if case .event(let number) = item.subject { number } else { nil } }
        let found = try await store.events(numbers)
        let viewer = Viewer(
            Requester(id: service.sender, number: try await store.intern(service.sender)), now: clock.now)
        let rendered = try await RenderedEvents(
            numbers.compactMap { found[$0] }, for: viewer, store: store, withRelationsOf: [])
        var count = 0
        for (index, item) in items.enumerated() {
            guard case .event(let number) = item.subject, let event = found[number] else { continue }
            rendered.write(event, into: &writer, includeRoomID: true)
            count += 1
            if writer.bytes.count >= Self.maximumEventBytes { return (count, items[...index]) }
        }
        return (count, items[...])
    }

    private func extras(_ items: ArraySlice<AppServiceItem>, typingIn rooms: [RoomNumber]) async throws -> Extras {
        var extras = Extras()
        var present: [UserNumber] = []
        var devices: Set<DeviceKey> = []
        for item in items {
            switch item.subject {
            case .event: continue
            case .receipt(let user, let room, let type):
                extras.ephemeral += try await receipts(of: user, in: room, type)
            case .presence(let user): present.append(user)
            case .toDevice(let user, let device):
                devices.insert(DeviceKey(user: user, device: device))
                if let message = try await message(for: device, of: user, at: item.position) {
                    extras.toDevice.append(message)
                }
            case .deviceList(let user): extras.changedUsers.append(try await store.user(user))
            case .keyCounts(let user, let device): devices.insert(DeviceKey(user: user, device: device))
            }
        }
        extras.ephemeral += try await presence?.events(about: present, naming: false) ?? []
        for room in rooms { if let text = try await typingEvent(in: room) { extras.ephemeral.append(text) } }
        if service.extras.contains(.devices) {
            for key in devices {
                let id = try await store.user(key.user)
                extras.counts.append((id, key.device, try await counts.counts(of: key.device, of: key.user)))
            }
            extras.counts.sort { $0.user == $1.user ? $0.device < $1.device : $0.user < $1.user }
        }
        return extras
    }

    private struct DeviceKey: Hashable {
        let user: UserNumber
        let device: DeviceID
    }

    private func receipts(of user: UserNumber, in room: RoomNumber, _ type: String) async throws -> [[UInt8]] {
        let records = try await store.read { try $0.receipts.receipts(of: user, in: room) }
            .filter { $0.receipt.type.utf8.elementsEqual(type.utf8) }
            .sorted { $0.position < $1.position }
        let id = try await store.room(room)
        return ReceiptEvents.events(records.suffix(Self.maximumThreads).map(\.receipt)).map {
            Self.adding([("room_id", id.string)], to: $0)
        }
    }

    private func typingEvent(in room: RoomNumber) async throws -> [UInt8]? {
        guard let typing else { return nil }
        let event: JSONValue = [
            "type": "m.typing", "room_id": .string(try await store.room(room).string),
            "content": typing.content(of: room),
        ]
        return event.serialized()
    }

    private func message(
        for device: DeviceID, of user: UserNumber, at position: StreamPosition
    ) async throws -> [UInt8]? {
        let before = StreamPosition(position.rawValue - 1)
        let message = try await store.read { reader in
            try reader.toDevice.pending(for: device, of: user, after: before, through: position, limit: 1).first
        }
        guard let message else { return nil }
        let id = try await store.user(user)
        return Self.adding([("to_user_id", id.string), ("to_device_id", device.string)], to: message.content)
    }

    /// The text of an object with more members, which stand first.
    private static func adding(_ members: [(name: String, value: String)], to object: [UInt8]) -> [UInt8] {
        guard let start = object.firstIndex(of: UInt8(ascii: "{")) else { return object }
        var writer = JSONWriter(capacity: object.count + 200)
        writer.beginObject()
        for (name, value) in members { writer.member(name, value) }
        let rest = object[(start + 1)...]
        let isEmpty = rest.first { !" \n\r\t".utf8.contains($0) } == UInt8(ascii: "}")
        return writer.bytes + (isEmpty ? [] : [UInt8(ascii: ",")]) + rest
    }

    private func write(_ extras: Extras, into writer: inout JSONWriter) {
        func array(_ name: String, _ texts: [[UInt8]]) {
            guard !texts.isEmpty else { return }
            writer.key(name)
            writer.beginArray()
            for text in texts { writer.writeRaw(text) }
            writer.endArray()
        }
        array("ephemeral", extras.ephemeral)
        if service.extras.contains(.unstableNames) { array("de.sorunome.msc2409.ephemeral", extras.ephemeral) }
        array("de.sorunome.msc2409.to_device", extras.toDevice)
        if !extras.changedUsers.isEmpty {
            writer.key("org.matrix.msc3202.device_lists")
            writer.beginObject()
            writer.key("changed")
            writer.beginArray()
            for user in extras.changedUsers { writer.write(user) }
            writer.endArray()
            writer.key("left")
            writer.beginArray()
            writer.endArray()
            writer.endObject()
        }
        guard !extras.counts.isEmpty else { return }
        write(extras, "org.matrix.msc3202.device_one_time_keys_count", into: &writer) { counts, writer in
            writer.beginObject()
            for (algorithm, count) in counts.oneTimeKeys.sorted(by: { $0.key < $1.key }) {
                writer.member(algorithm.string, Int64(count))
            }
            writer.endObject()
        }
        write(extras, "org.matrix.msc3202.device_unused_fallback_key_types", into: &writer) { counts, writer in
            writer.beginArray()
            for algorithm in counts.unusedFallbackKeys { writer.write(algorithm.string) }
            writer.endArray()
        }
    }

    /// Writes something of each device, by user and device.
    private func write(
        _ extras: Extras, _ name: String, into writer: inout JSONWriter,
        _ body: (KeyCountsOfDevice, inout JSONWriter) -> Void
    ) {
        writer.key(name)
        writer.beginObject()
        var last: UserID?
        for entry in extras.counts {
            if entry.user != last {
                if last != nil { writer.endObject() }
                writer.key(entry.user.string)
                writer.beginObject()
                last = entry.user
            }
            writer.key(entry.device.string)
            body(entry.counts, &writer)
        }
        if last != nil { writer.endObject() }
        writer.endObject()
    }
}
