import Homeserver
import Matrix
import Store

/// [m.device_list_update](https://spec.matrix.org/v1.19/server-server-api/#device-management): a user's device has changed.
extension RemoteDeviceUpdate {
    /// The most updates that one may follow.
    private static let maximumPreviousIDs = 100

    /// Reads a content; `nil` if it is not understood, or not about a user of the server that sends it.
    init?(_ content: JSON, from origin: ServerName) {
        guard let user = content["user_id"]?.string.flatMap({ UserID($0) }), user.isLocal(to: origin),
            let device = content["device_id"]?.string.flatMap({ DeviceID($0) }),
            let streamID = content["stream_id"]?.int
        else { return nil }
        var previousIDs: [Int64] = []
        if let list = content["prev_id"], list.isArray {
            previousIDs = list.elements.prefix(Self.maximumPreviousIDs).compactMap(\.int)
        }
        self.init(
            user: user, device: device, streamID: streamID, previousIDs: previousIDs,
            isDeleted: content["deleted"]?.bool ?? false, displayName: content["device_display_name"]?.string,
            keys: content["keys"])
    }
}

/// [m.signing_key_update](https://spec.matrix.org/v1.19/server-server-api/#end-to-end-encryption): a user's cross-signing keys have
/// changed.
extension RemoteSigningKeys {
    /// Reads a content; `nil` if it is not understood, or not about a user of the server that sends it.
    init?(_ content: JSON, from origin: ServerName) {
        guard let user = content["user_id"]?.string.flatMap({ UserID($0) }), user.isLocal(to: origin) else {
            return nil
        }
        self.init(user: user, masterKey: content["master_key"], selfSigningKey: content["self_signing_key"])
    }
}

/// What a transaction tells of users' devices and keys, in its order.
struct ReceivedDeviceChanges {
    private var updates: [UserID: [RemoteDeviceUpdate]] = [:]
    private var keys: [UserID: [RemoteSigningKeys]] = [:]

    /// Whom it is about.
    var users: Set<UserID> { Set(updates.keys).union(keys.keys) }

    mutating func add(_ update: RemoteDeviceUpdate) { updates[update.user, default: []].append(update) }
    mutating func add(_ signingKeys: RemoteSigningKeys) { keys[signingKeys.user, default: []].append(signingKeys) }

    /// Stores it: for each user once, so that clients hear of it once.
    func writes(for wanted: [UserID: UserNumber], in lists: RemoteDeviceLists) -> [EphemeralWrite] {
        var writes: [EphemeralWrite] = []
        for (user, number) in wanted.sorted(by: { $0.key < $1.key }) {
            let updates = updates[user] ?? []
            let keys = keys[user] ?? []
            writes.append(
                EphemeralWrite(type: "m.device_list_update", rows: 3 * updates.count + 3 * keys.count) { writer in
                    try lists.receive(updates, of: number, in: writer)
                    for keys in keys { try lists.receive(keys, of: number, in: writer) }
                })
        }
        return writes
    }
}
