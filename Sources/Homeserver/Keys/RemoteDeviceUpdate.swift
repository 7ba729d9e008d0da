import Matrix
import Store

/// A change to one device, as its user's server tells of it.
///
/// [m.device_list_update](https://spec.matrix.org/v1.19/server-server-api/#device-management)
public struct RemoteDeviceUpdate: Sendable {
    /// Whose device.
    public let user: UserID
    /// The device.
    public let device: DeviceID
    /// Names the update among all of that user.
    public let streamID: Int64
    /// The updates that this one follows.
    public let previousIDs: [Int64]
    /// Whether the device is gone.
    public let isDeleted: Bool
    /// What its user calls it.
    public let displayName: String?
    /// Its identity keys.
    public let keys: JSON?

    /// An update.
    public init(
        user: UserID, device: DeviceID, streamID: Int64, previousIDs: [Int64], isDeleted: Bool, displayName: String?,
        keys: JSON?
    ) {
        self.user = user
        self.device = device
        self.streamID = streamID
        self.previousIDs = previousIDs
        self.isDeleted = isDeleted
        self.displayName = displayName
        self.keys = keys
    }

    /// The device as it is after the update; `nil` if it is gone.
    var record: RemoteDeviceRecord? {
        isDeleted
            ? nil
            : RemoteDeviceRecord(
                device: device, displayName: RemoteDeviceList.harmless(displayName),
                keys: RemoteDeviceList.keys(keys, of: device, of: user))
    }
}

/// A user's cross-signing keys, as the user's server tells of them.
///
/// [m.signing_key_update](https://spec.matrix.org/v1.19/server-server-api/#end-to-end-encryption)
public struct RemoteSigningKeys: Sendable {
    /// Whose.
    public let user: UserID
    /// The master key.
    public let masterKey: JSON?
    /// The self-signing key.
    public let selfSigningKey: JSON?

    /// Keys.
    public init(user: UserID, masterKey: JSON?, selfSigningKey: JSON?) {
        self.user = user
        self.masterKey = masterKey
        self.selfSigningKey = selfSigningKey
    }
}

/// All devices of a user, as the user's server tells of them: what is not in order is left out.
///
/// [GET /user/devices](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1userdevicesuserid)
struct RemoteDeviceList: Sendable {
    let streamID: Int64?
    let devices: [RemoteDeviceRecord]
    let masterKey: [UInt8]?
    let selfSigningKey: [UInt8]?

    /// The most devices of one user that are kept.
    static let maximumDevices = 5_000
    private static let maximumNameBytes = 1_024
    private static let maximumKeyBytes = 65_536

    init(_ body: JSON, of user: UserID) {
        streamID = body["stream_id"]?.int
        var found: [DeviceID: RemoteDeviceRecord] = [:]
        if let devices = body["devices"], devices.isArray {
            for device in devices.elements {
                guard found.count < Self.maximumDevices else { break }
                guard let id = device["device_id"]?.string.flatMap({ DeviceID($0) }) else { continue }
                found[id] = RemoteDeviceRecord(
                    device: id, displayName: Self.harmless(device["device_display_name"]?.string),
                    keys: Self.keys(device["keys"], of: id, of: user))
            }
        }
        devices = found.values.sorted { $0.device < $1.device }
        masterKey = Self.crossSigningKey(body["master_key"], .master, of: user)
        selfSigningKey = Self.crossSigningKey(body["self_signing_key"], .selfSigning, of: user)
    }

    /// Keys that say of themselves that they are another device's are nobody's. Clients verify the rest.
    static func keys(_ keys: JSON?, of device: DeviceID, of user: UserID) -> [UInt8]? {
        guard let keys, keys.isObject, keys.bytes.count <= maximumKeyBytes else { return nil }
        if let stated = keys["user_id"], !KeyText.isString(stated, user.string) { return nil }
        if let stated = keys["device_id"], !KeyText.isString(stated, device.string) { return nil }
        return Array(keys.bytes)
    }

    static func crossSigningKey(_ key: JSON?, _ usage: CrossSigningUsage, of user: UserID) -> [UInt8]? {
        key.flatMap { CrossSigningKey($0, usage: usage, owner: user) }.map { Array($0.json.bytes) }
    }

    static func harmless(_ name: String?) -> String? {
        guard let name, name.utf8.count <= maximumNameBytes, !name.utf8.contains(0) else { return nil }
        return name
    }
}
