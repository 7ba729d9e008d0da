import Matrix

/// Asks other homeservers. Services reach them in no other way.
public protocol RemoteServers: Sendable {
    /// Devices and cross-signing keys of users of another server.
    ///
    /// - Parameters:
    ///   - devices: For each user the devices asked for; none means all of them.
    ///   - server: The users' server.
    ///   - timeoutMilliseconds: How long to wait at most.
    /// - Returns: The body that
    ///   [POST /user/keys/query](https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysquery) answers,
    ///   unchecked.
    /// - Throws: If there is no answer.
    func queryKeys(
        _ devices: [UserID: [DeviceID]], at server: ServerName, timeoutMilliseconds: Int64
    ) async throws(RemoteServerFailure) -> JSON

    /// One-time keys of devices of users of another server.
    ///
    /// - Parameters:
    ///   - keys: For each user and device the algorithm of the key that is wanted.
    ///   - server: The users' server.
    ///   - timeoutMilliseconds: How long to wait at most.
    /// - Returns: The body that
    ///   [POST /user/keys/claim](https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysclaim) answers,
    ///   unchecked.
    /// - Throws: If there is no answer.
    func claimKeys(
        _ keys: [UserID: [DeviceID: KeyAlgorithm]], at server: ServerName, timeoutMilliseconds: Int64
    ) async throws(RemoteServerFailure) -> JSON
}

/// Why another server gave no usable answer, as clients are told of it in `failures`.
public struct RemoteServerFailure: Error, Sendable, Hashable {
    /// The status of the answer, or 503 if there was none.
    public let status: Int
    /// The `errcode` of the answer, if it had one.
    public let code: ErrorCode?
    /// A sentence for people.
    public let message: String
    /// Whether the other server answered at all, however it did. If not, it may be down, or its name may lead nowhere.
    public let isAnswer: Bool
    /// How long the other server asks to be left alone, in milliseconds, if it does.
    public let retryAfterMilliseconds: Int64?
    /// The `room_version` of the answer: the one that a room has and this server was not known to speak.
    public let roomVersion: String?

    /// A failure.
    public init(
        status: Int = 503, code: ErrorCode? = nil, message: String, isAnswer: Bool = false,
        retryAfterMilliseconds: Int64? = nil, roomVersion: String? = nil
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.isAnswer = isAnswer
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.roomVersion = roomVersion
    }

    /// Whether the other server has refused what was asked: it would refuse it again, and another server may be asked, but not this one.
    /// A server that is overloaded, broken or does not believe our signature has not refused anything.
    public var isDefinite: Bool {
        isAnswer && (400..<500).contains(status) && ![401, 408, 425, 429].contains(status)
    }

    /// Whether the other server does not know the operation, as servers of older versions do not.
    ///
    /// [Unsupported endpoints](https://spec.matrix.org/v1.19/server-server-api/#unsupported-endpoints)
    public var isUnrecognized: Bool {
        isAnswer && (code == .unrecognized || (code == nil && [404, 405].contains(status)))
    }
}
