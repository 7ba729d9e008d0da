import Homeserver
import Matrix

extension UnreachableServers: RemoteProfiles {
    /// Throws 502.
    public func profile(of user: UserID, field: String?) async throws -> JSON {
        throw MatrixError(502, .unknown, "This server does not federate")
    }
}
