import Homeserver
import Matrix
import Web

/// [GET /query/profile](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1queryprofile): what a user of this server
/// tells of themselves.
struct QueryProfile: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/query/profile")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let profiles: ProfileService
    let serverName: ServerName

    struct Request: RequestDecodable {
        let user: UserID
        let field: String?

        init(from input: RequestInput) throws {
            user = try input.requiredQuery("user_id", as: .identifier)
            field = try input.query("field", as: .string)
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> JSON {
        guard request.user.isLocal(to: serverName) else {
            throw MatrixError.notFound("There is no such user here")
        }
        guard let field = request.field else { return try await profiles.profile(of: request.user) }
        return try await profiles.field(field, of: request.user)
    }
}
