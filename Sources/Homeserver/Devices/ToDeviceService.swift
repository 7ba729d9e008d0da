import Crypto
import Matrix
import Store
import Synchronization

/// For whom of a user's devices a message is.
public enum ToDeviceTarget: Sendable, Hashable {
    /// One device.
    case device(DeviceID)
    /// All of them.
    case all
}

/// A message for devices.
public struct ToDeviceMessage: Sendable {
    /// Whose devices.
    public let user: UserID
    /// Which.
    public let target: ToDeviceTarget
    /// The content, an object.
    public let content: JSON

    /// A message.
    public init(user: UserID, target: ToDeviceTarget, content: JSON) {
        self.user = user
        self.target = target
        self.content = content
    }
}

/// Sends messages to devices.
///
/// [Send-to-device messaging](https://spec.matrix.org/v1.19/client-server-api/#send-to-device-messaging).
public final class ToDeviceService: Sendable {
    private let store: Store
    private let serverName: ServerName
    private let clock: any Clock
    private let outbox: (any ToDeviceOutbox)?
    private let nextCleaning = Mutex<Int64>(0)

    /// The largest content of a message, in bytes: what other servers accept.
    static let maximumContentBytes = 65_536
    /// The longest type and transaction identifier, in bytes.
    static let maximumNameBytes = 255
    /// The most messages of one request, `*` counted as one.
    static let maximumMessages = 10_000
    /// How long a retransmission is known as such.
    static let transactionMemoryMilliseconds: Int64 = 7 * 86_400_000
    private static let cleaningIntervalMilliseconds: Int64 = 3_600_000

    /// - Parameters:
    ///   - store: Where messages wait.
    ///   - serverName: The name of this server.
    ///   - clock: Tells the time.
    ///   - outbox: Takes messages for other servers; `nil` for a server that does not federate.
    public init(store: Store, serverName: ServerName, clock: any Clock, outbox: (any ToDeviceOutbox)?) {
        self.store = store
        self.serverName = serverName
        self.clock = clock
        self.outbox = outbox
    }

    /// Sends messages, once for each transaction: a request that is repeated does nothing. Devices that do not exist get nothing.
    ///
    /// - Parameters:
    ///   - messages: The messages.
    ///   - type: The type of all of them.
    ///   - sender: Who sends them.
    ///   - senderID: Who sends them, by name.
    ///   - device: The device that sends them, if one does.
    ///   - transaction: What the client calls the request.
    /// - Throws: 413 `M_TOO_LARGE`, 400 `M_INVALID_PARAM`.
    public func send(
        _ messages: [ToDeviceMessage], type: EventType, from sender: UserNumber, _ senderID: UserID, device: DeviceID?,
        transaction: String
    ) async throws {
        try Self.check(messages, type: type, transaction: transaction)
        var messages = messages
        if store.shadowBannedUsers.contains(senderID) { messages.removeAll { $0.user != senderID } }
        let heard = messages
        let now = clock.now
        let forgetsBefore = cleaningIsDue(now) ? now - Self.transactionMemoryMilliseconds : nil
        let serverName = serverName
        let outbox = outbox
        try await store.write { writer in
            if let forgetsBefore { try writer.toDevice.forgetTransactions(before: forgetsBefore) }
            guard try writer.toDevice.begin(transaction, type: type, from: device, of: sender, at: now) else { return }
            var outgoing: [OutgoingDeviceMessage] = []
            for message in heard {
                if message.user.isLocal(to: serverName) {
                    try Self.deliver(message, type: type, sender: senderID, writer)
                } else {
                    outgoing.append(Self.outgoing(message, type: type, sender: senderID))
                }
            }
            if let outbox, !outgoing.isEmpty {
                let name = [senderID.string, device?.string ?? "", type.string, transaction].joined(separator: "\0")
                // 32 characters are the most that the specification grants.
                let id = Base64.encodeURLSafe(Array(SHA256.hash(data: Array(name.utf8))).prefix(24))
                try outbox.enqueue(outgoing, id: id, in: writer)
            }
        }
    }

    /// Delivers messages from another server to devices here, in the transaction that takes them in.
    ///
    /// The caller makes sure that `sender` is a user of the server they came from.
    public func receive(
        _ messages: [ToDeviceMessage], type: EventType, from sender: UserID, in writer: StoreWriter
    ) throws {
        for message in messages where message.user.isLocal(to: serverName) {
            try Self.deliver(message, type: type, sender: sender, writer)
        }
    }

    private static func check(_ messages: [ToDeviceMessage], type: EventType, transaction: String) throws(MatrixError) {
        for name in [type.string, transaction] {
            guard (1...maximumNameBytes).contains(name.utf8.count), !name.utf8.contains(0) else {
                throw .invalidParameter("The type and the transaction identifier must be 1 to 255 bytes long")
            }
        }
        guard messages.count <= maximumMessages else { throw .tooLarge("There are too many messages") }
        for message in messages {
            guard message.content.isObject else { throw .badJSON("The content of a message must be an object") }
            guard message.content.bytes.count <= maximumContentBytes else { throw .tooLarge("A message is too large") }
        }
    }

    private static func deliver(
        _ message: ToDeviceMessage, type: EventType, sender: UserID, _ writer: StoreWriter
    ) throws {
        guard let user = try writer.read.identifiers.number(of: message.user) else { return }
        let devices: [DeviceID]
        switch message.target {
        case .all: devices = try writer.read.devices.devices(of: user).map(\.id)
        case .device(let device):
            devices = try writer.read.devices.device(device, of: user) == nil ? [] : [device]
        }
        var text = JSONWriter(capacity: message.content.bytes.count + 160)
        text.beginObject()
        text.member("type", type.string)
        text.member("sender", sender)
        text.member("content", message.content)
        text.endObject()
        for device in devices {
            try writer.toDevice.append(ToDeviceRecord(user: user, device: device, content: text.bytes))
        }
    }

    private static func outgoing(_ message: ToDeviceMessage, type: EventType, sender: UserID) -> OutgoingDeviceMessage {
        var device: DeviceID?
        if case .device(let id) = message.target { device = id }
        return OutgoingDeviceMessage(
            sender: sender, type: type, user: message.user, device: device, content: Array(message.content.bytes)
        )
    }

    private func cleaningIsDue(_ now: Int64) -> Bool {
        nextCleaning.withLock { next in
            guard now >= next else { return false }
            next = now + Self.cleaningIntervalMilliseconds
            return true
        }
    }
}
