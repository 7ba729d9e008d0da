import Homeserver
import Matrix
import Store
import Synchronization

/// Keeps messages for devices on other servers until they have been delivered.
///
/// [Send-to-device messaging](https://spec.matrix.org/v1.19/server-server-api/#send-to-device-messaging)
public final class ToDeviceQueue: ToDeviceOutbox {
    private let listener = Mutex<(@Sendable (Set<ServerName>) -> Void)?>(nil)
    private let accepts: @Sendable (ServerName) -> Bool

    /// How many bytes of messages go into one `m.direct_to_device`; a single message may be larger.
    private static let messageBytes = 64 << 10
    /// The specification allows 32 characters.
    private static let identifierLength = 32

    /// - Parameter accepts: Whether this server federates with another; messages for others are dropped.
    public init(accepts: @escaping @Sendable (ServerName) -> Bool = { _ in true }) { self.accepts = accepts }

    /// Calls `listener` with the servers for which durable messages have come to wait.
    func onEnqueue(_ listener: @escaping @Sendable (Set<ServerName>) -> Void) {
        self.listener.withLock { $0 = listener }
    }

    /// Takes messages over, in the transaction that carries out the request to send them.
    public func enqueue(_ messages: [OutgoingDeviceMessage], id: String, in writer: StoreWriter) throws {
        var servers: Set<ServerName> = []
        // Within a message there is one sender and one type.
        var part = 0
        for group in Self.groups(messages) where accepts(group.server) {
            let name = part == 0 ? id : Self.name(of: part, in: id)
            part += 1
            try writer.outgoingDeviceMessages.append(Self.content(group, id: name), for: group.server)
            servers.insert(group.server)
        }
        guard !servers.isEmpty else { return }
        writer.sql.onCommit { [self, servers] in listener.withLock { $0 }?(servers) }
    }

    // MARK: -

    private struct Group {
        let server: ServerName
        let sender: UserID
        let type: EventType
        var bytes = 0
        var messages: [UserID: [DeviceID?: [UInt8]]] = [:]

        /// Whether a message has its place here, and nothing else there.
        func fits(_ message: OutgoingDeviceMessage) -> Bool {
            sender == message.sender && type == message.type && bytes + message.content.count <= messageBytes
                && messages[message.user]?[message.device] == nil
        }

        mutating func add(_ message: OutgoingDeviceMessage) {
            messages[message.user, default: [:]][message.device] = message.content
            bytes += message.content.count
        }
    }

    /// The messages by server, in parts that are not too large, in order.
    private static func groups(_ messages: [OutgoingDeviceMessage]) -> [Group] {
        var groups: [Group] = []
        var last: [ServerName: Int] = [:]
        for message in messages {
            let server = message.user.server
            if let index = last[server], groups[index].fits(message) {
                groups[index].add(message)
            } else {
                var group = Group(server: server, sender: message.sender, type: message.type)
                group.add(message)
                last[server] = groups.count
                groups.append(group)
            }
        }
        return groups
    }

    /// The name of a further part of a request.
    private static func name(of part: Int, in id: String) -> String {
        let number = String(part, radix: 36)
        return "\(id.prefix(identifierLength - 1 - number.utf8.count))~\(number)"
    }

    private static func content(_ group: Group, id: String) -> [UInt8] {
        var writer = JSONWriter(capacity: group.bytes + 256)
        writer.beginObject()
        writer.member("sender", group.sender)
        writer.member("type", group.type.string)
        writer.member("message_id", id)
        writer.key("messages")
        writer.beginObject()
        for (user, devices) in group.messages.sorted(by: { $0.key < $1.key }) {
            writer.key(user.string)
            writer.beginObject()
            let named = devices.map { (name: $0.key?.string ?? "*", content: $0.value) }
            for (device, content) in named.sorted(by: { ExactString($0.name) < ExactString($1.name) }) {
                writer.key(device)
                writer.writeRaw(content)
            }
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }
}
