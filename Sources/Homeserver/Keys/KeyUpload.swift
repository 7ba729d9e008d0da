import Matrix
import Store

/// Keys that a device publishes. What the server does not know of them is kept as it is.
///
/// [POST /keys/upload](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysupload).
public struct KeyUpload: Sendable {
    /// The device's identity keys, if they are uploaded.
    public let deviceKeys: JSON?
    /// One-time keys.
    public let oneTimeKeys: [OneTimeKeyRecord]
    /// Fallback keys, at most one for each algorithm.
    public let fallbackKeys: [OneTimeKeyRecord]

    /// The largest `device_keys`, in bytes.
    static let maximumDeviceKeysBytes = 65_536
    /// The largest one-time or fallback key, in bytes.
    static let maximumKeyBytes = 8_192
    /// The most one-time keys in one upload.
    static let maximumOneTimeKeys = 2_000

    /// Reads the members of a request.
    ///
    /// - Throws: 400 `M_BAD_JSON` for keys of a wrong shape.
    public init(deviceKeys: JSON?, oneTimeKeys: JSON?, fallbackKeys: JSON?) throws(MatrixError) {
        self.deviceKeys = deviceKeys.flatMap { $0.isNull ? nil : $0 }
        self.oneTimeKeys = try Self.keys(oneTimeKeys, "one_time_keys")
        self.fallbackKeys = try Self.keys(fallbackKeys, "fallback_keys")
        guard Set(self.fallbackKeys.map(\.id.algorithm)).count == self.fallbackKeys.count else {
            throw MatrixError.invalidParameter("fallback_keys has two keys of one algorithm")
        }
    }

    /// Whether there is nothing in it: the client only wants to know its counts.
    public var isEmpty: Bool { deviceKeys == nil && oneTimeKeys.isEmpty && fallbackKeys.isEmpty }

    /// Checks that the identity keys are what the specification wants, and those of the device that uploads them.
    ///
    /// - Throws: 400 `M_BAD_JSON`, 413 `M_TOO_LARGE`.
    func check(user: UserID, device: DeviceID) throws(MatrixError) {
        guard let deviceKeys else { return }
        guard deviceKeys.isObject else { throw .badJSON("device_keys must be an object") }
        guard deviceKeys.bytes.count <= Self.maximumDeviceKeysBytes else {
            throw .tooLarge("device_keys are too large")
        }
        guard let algorithms = deviceKeys["algorithms"], algorithms.isArray,
            algorithms.elements.allSatisfy({ $0.string != nil })
        else { throw .badJSON("device_keys need algorithms: an array of strings") }
        guard let keys = deviceKeys["keys"], keys.isObject, keys.members.allSatisfy({ $0.value.string != nil }) else {
            throw .badJSON("device_keys need keys: an object of strings")
        }
        guard let signatures = deviceKeys["signatures"], signatures.isObject,
            signatures.members.allSatisfy({ $0.value.isObject })
        else { throw .badJSON("device_keys need signatures: an object of objects") }
        guard KeyText.isString(deviceKeys["user_id"], user.string) else {
            throw .badJSON("user_id in device_keys must be the one that the access token belongs to")
        }
        guard KeyText.isString(deviceKeys["device_id"], device.string) else {
            throw .badJSON("device_id in device_keys must be the one that the access token belongs to")
        }
    }

    private static func keys(_ json: JSON?, _ name: String) throws(MatrixError) -> [OneTimeKeyRecord] {
        guard let json, !json.isNull else { return [] }
        guard json.isObject else { throw .badJSON("\(name) must be an object") }
        var keys: [OneTimeKeyRecord] = []
        for (id, key) in json.members {
            guard let id = DeviceKeyID(id) else { throw .badJSON("Names in \(name) must be algorithm:name") }
            guard key.string != nil || key.isObject else { throw .badJSON("\(name) must be strings or objects") }
            guard key.bytes.count <= maximumKeyBytes else { throw .tooLarge("A key in \(name) is too large") }
            guard keys.count < maximumOneTimeKeys else { throw .tooLarge("There are too many keys in \(name)") }
            keys.append(OneTimeKeyRecord(id: id, json: Array(key.bytes)))
        }
        return keys
    }
}
