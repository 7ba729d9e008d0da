import Homeserver
import Matrix

extension UnreachableServers: RemoteProfiles {
    /// Throws 404.
    public func profile(of user: UserID, field: String?) async throws -> JSON {
        throw MatrixError.notFound("This server does not federate with \(user.server)")
    }
}
