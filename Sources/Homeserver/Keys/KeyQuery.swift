import Matrix

/// Whose keys are asked for.
///
/// [POST /keys/query](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery).
public struct KeyQuery: Sendable {
    /// For each user the devices asked for; none means all of them.
    public var users: [UserID: [DeviceID]]
    /// How long to wait for other servers.
    public var timeoutMilliseconds: Int64

    /// A query.
    public init(users: [UserID: [DeviceID]], timeoutMilliseconds: Int64 = RemoteTimeout.standardMilliseconds) {
        self.users = users
        self.timeoutMilliseconds = timeoutMilliseconds
    }
}

/// How long clients may have the server wait for other servers.
public enum RemoteTimeout {
    /// Unless the client says otherwise.
    public static let standardMilliseconds: Int64 = 10_000
    /// At most.
    public static let maximumMilliseconds: Int64 = 60_000

    /// What a client asked for, within bounds.
    public static func clamped(_ milliseconds: Int64?) -> Int64 {
        min(max(milliseconds ?? standardMilliseconds, 1), maximumMilliseconds)
    }
}

/// Keys of users: texts of JSON objects, ready to be spliced into a response.
public struct KeyQueryAnswer: Sendable {
    /// For each user that exists the devices that have keys.
    public var deviceKeys: [UserID: [DeviceID: [UInt8]]] = [:]
    /// Master keys.
    public var masterKeys: [UserID: [UInt8]] = [:]
    /// Self-signing keys.
    public var selfSigningKeys: [UserID: [UInt8]] = [:]
    /// The user-signing key of who asks.
    public var userSigningKeys: [UserID: [UInt8]] = [:]
    /// The servers that gave no answer.
    public var failures: [ServerName: RemoteServerFailure] = [:]

    /// No keys.
    public init() {}

    mutating func merge(_ other: KeyQueryAnswer) {
        deviceKeys.merge(other.deviceKeys) { $1 }
        masterKeys.merge(other.masterKeys) { $1 }
        selfSigningKeys.merge(other.selfSigningKeys) { $1 }
        userSigningKeys.merge(other.userSigningKeys) { $1 }
        failures.merge(other.failures) { $1 }
    }
}
