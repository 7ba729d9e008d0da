import Homeserver
import Logging
import Matrix
import Store

/// What an ephemeral message changes in the database.
struct EphemeralWrite: Sendable {
    /// The message's type, for the log.
    let type: String
    /// About how many rows are written.
    let rows: Int
    /// Writes it. Whether the senders may is looked at here too, so that it holds when it is written.
    let perform: @Sendable (StoreWriter) throws -> Void
}

/// The ephemeral messages of a transaction, read and checked as far as that needs no transaction of the database.
struct PreparedMessages: Sendable {
    /// What is stored.
    var writes: [EphemeralWrite] = []
    /// Who types, or no longer.
    var typing: [ReceivedTyping] = []
    /// Who is there.
    var presence: [RemotePresence.Update] = []
}

/// Takes in ephemeral messages (EDUs). What is not understood, or comes from who may not say it, is ignored: there is nobody to be told.
///
/// [EDUs](https://spec.matrix.org/v1.19/server-server-api/#edus)
public struct EphemeralIntake: Sendable {
    let store: Store
    let clock: any Clock
    let serverName: ServerName
    let rooms: RoomService
    let typing: TypingService
    let receipts: ReceiptService
    let presence: RemotePresence
    let toDevice: ToDeviceService
    let devices: RemoteDeviceLists
    let logger: Logger

    /// - Parameters:
    ///   - rooms: The rooms.
    ///   - typing: Who is typing.
    ///   - receipts: Who has read what.
    ///   - presence: Who is there.
    ///   - toDevice: Delivers messages to devices.
    ///   - devices: The devices of users of other servers.
    public init(
        store: Store, clock: any Clock, rooms: RoomService, typing: TypingService, receipts: ReceiptService,
        presence: RemotePresence, toDevice: ToDeviceService, devices: RemoteDeviceLists, logger: Logger
    ) {
        self.store = store
        self.clock = clock
        serverName = rooms.serverName
        self.rooms = rooms
        self.typing = typing
        self.receipts = receipts
        self.presence = presence
        self.toDevice = toDevice
        self.devices = devices
        self.logger = logger
    }

    /// The rooms in one transaction for which receipts are taken.
    private static let maximumRooms = 500

    /// Reads and checks messages.
    func prepare(_ edus: [(type: String, content: JSON)], from origin: ServerName) async throws -> PreparedMessages {
        var prepared = PreparedMessages()
        var receipts: [ReceivedReceipt] = []
        var changes = ReceivedDeviceChanges()
        for (type, content) in edus {
            switch type {
            case "m.typing":
                if let typing = ReceivedTyping(content, from: origin) { prepared.typing.append(typing) }
            case "m.receipt": receipts += ReceivedReceipt.all(in: content, from: origin)
            case "m.presence": prepared.presence += RemotePresence.Update.all(in: content, from: origin)
            case "m.direct_to_device":
                if let write = deviceMessages(content, from: origin) { prepared.writes.append(write) }
            case "m.device_list_update":
                if let update = RemoteDeviceUpdate(content, from: origin) { changes.add(update) }
            // What it was called before it was specified; some servers know no other name.
            case "m.signing_key_update", "org.matrix.signing_key_update":
                if let keys = RemoteSigningKeys(content, from: origin) { changes.add(keys) }
            default: logger.debug("an ephemeral message is not understood", metadata: ["type": "\(type)"])
            }
        }
        let wanted = try await devices.wanted(among: changes.users)
        prepared.writes += changes.writes(for: wanted, in: devices)
        let open = try await openRooms(Set(prepared.typing.map(\.room) + receipts.map(\.room)), to: origin)
        prepared.typing.removeAll { open[$0.room] == nil }
        prepared.writes += self.receipts(receipts.filter { open[$0.room] != nil }, in: open)
        return prepared
    }

    /// Tells those whom it concerns what is not stored, or not with the rest. Nothing of it is worth that the transaction is sent again.
    func announce(_ messages: PreparedMessages, from origin: ServerName) async {
        do {
            for message in messages.typing {
                guard let room = try await store.number(of: message.room) else { continue }
                try await typing.receive(message.isTyping, message.user, in: room)
            }
            try await presence.receive(messages.presence, from: origin)
        } catch {
            logger.info(
                "what a server tells of its users is lost", metadata: ["origin": "\(origin)", "error": "\(error)"])
        }
    }

    /// Of rooms that a server tells something of, those in which this server takes part and that server may.
    private func openRooms(_ ids: Set<RoomID>, to origin: ServerName) async throws -> [RoomID: RoomNumber] {
        guard !ids.isEmpty else { return [:] }
        let list = Array(ids.sorted().prefix(Self.maximumRooms))
        let known = try await store.read { reader in
            var known: [RoomID: RoomNumber] = [:]
            for id in list { known[id] = try reader.identifiers.number(of: id) }
            return known
        }
        let ours = try await rooms.participation.since(Array(known.values))
        var open: [RoomID: RoomNumber] = [:]
        for (id, number) in known where ours[number] != nil {
            if try await rooms.permits(origin, in: number) { open[id] = number }
        }
        return open
    }
}
