import Homeserver
import Matrix
import Web

/// [GET /profile/{userId}/{keyName}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3profileuseridkeyname): one
/// thing that a user tells of themselves.
struct GetProfileField: Endpoint {
    static let routes: [Route] = .client(.get, "/profile/{userId}/{keyName}")
    static let authentication: Authentication<Caller?> = .optional

    let profiles: ProfileService
    let access: ProfileAccess

    struct Request: RequestDecodable {
        let user: UserID
        let field: String

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            field = try input.path("keyName")
        }
    }

    func handle(_ request: Request, caller: Caller?) async throws -> JSON {
        try access.check(caller)
        return try await profiles.field(request.field, of: request.user)
    }
}
