import Homeserver
import Matrix

/// For a server that does not federate: every other server counts as unreachable.
public struct UnreachableServers: RemoteServers {
    /// The servers that nobody reaches from here.
    public init() {}

    /// Throws.
    public func queryKeys(
        _ devices: [UserID: [DeviceID]], at server: ServerName, timeoutMilliseconds: Int64
    ) async throws(RemoteServerFailure) -> JSON { throw Self.failure }

    /// Throws.
    public func claimKeys(
        _ keys: [UserID: [DeviceID: KeyAlgorithm]], at server: ServerName, timeoutMilliseconds: Int64
    ) async throws(RemoteServerFailure) -> JSON { throw Self.failure }

    private static let failure = RemoteServerFailure(message: "This server does not federate")
}
