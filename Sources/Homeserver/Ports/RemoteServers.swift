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

/// Why another server gave no answer, as clients are told of it in `failures`.
public struct RemoteServerFailure: Error, Sendable, Hashable {
    /// The status of the answer, or 503 if there was none.
    public let status: Int
    /// A sentence for people.
    public let message: String

    /// A failure.
    public init(status: Int = 503, message: String) {
        self.status = status
        self.message = message
    }
}
