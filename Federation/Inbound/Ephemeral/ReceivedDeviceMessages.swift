import Homeserver
import Matrix
import Store

extension EphemeralIntake {
    /// The most messages that one `m.direct_to_device` may hold.
    private static let maximumMessages = 10_000
    /// The largest content of a message, in bytes.
    private static let maximumContentBytes = 65_536

    /// [m.direct_to_device](https://spec.matrix.org/v1.19/server-server-api/#send-to-device-messaging): messages for devices.
    ///
    /// Who sends them need not share a room with us: keys to a room's history come before one has joined it.
    ///
    /// - Returns: `nil` if it is not understood, not from a user of the server that sends it, or for nobody here.
    func deviceMessages(_ content: JSON, from origin: ServerName) -> EphemeralWrite? {
        guard let sender = content["sender"]?.string.flatMap({ UserID($0) }), sender.isLocal(to: origin),
            let type = content["type"]?.string, Self.isName(type),
            let message = content["message_id"]?.string, Self.isName(message)
        else { return nil }
        var messages: [ToDeviceMessage] = []
        for (name, devices) in content["messages"]?.members ?? JSON.emptyObject.members {
            guard let user = UserID(name), user.isLocal(to: serverName) else { continue }
            for (name, content) in devices.members {
                guard content.isObject, content.bytes.count <= Self.maximumContentBytes else { continue }
                guard messages.count < Self.maximumMessages else { break }
                if name == "*" {
                    messages.append(ToDeviceMessage(user: user, target: .all, content: content))
                } else if let device = DeviceID(name) {
                    messages.append(ToDeviceMessage(user: user, target: .device(device), content: content))
                }
            }
        }
        guard !messages.isEmpty else { return nil }
        let now = clock.now
        let delivered = messages
        return EphemeralWrite(type: "m.direct_to_device", rows: delivered.count + 1) { [toDevice] writer in
            // What is for nobody needs not be remembered.
            guard try delivered.contains(where: { try writer.read.accounts.account($0.user) != nil }),
                try writer.receivedTransactions.begin(message: message, from: origin, at: now)
            else { return }
            try toDevice.receive(delivered, type: EventType(type), from: sender, in: writer)
        }
    }

    private static func isName(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count) && !text.utf8.contains(0)
    }
}
