import Homeserver
import Matrix
import Web

/// [GET /profile/{userId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3profileuserid): all that a user tells of
/// themselves.
struct GetProfile: Endpoint {
    static let routes: [Route] = .client(.get, "/profile/{userId}")
    static let authentication: Authentication<Caller?> = .optional

    let profiles: ProfileService
    let access: ProfileAccess

    struct Request: RequestDecodable {
        let user: UserID

        init(from input: RequestInput) throws { user = try input.path("userId") }
    }

    func handle(_ request: Request, caller: Caller?) async throws -> JSON {
        try access.check(caller)
        return try await profiles.profile(of: request.user)
    }
}
