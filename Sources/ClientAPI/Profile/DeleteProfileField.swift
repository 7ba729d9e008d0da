import Homeserver
import Matrix
import Web

/// [DELETE /profile/{userId}/{keyName}](https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3profileuseridkeyname):
/// removes something that the user told of themselves.
struct DeleteProfileField: Endpoint {
    static let routes: [Route] = .client(.delete, "/profile/{userId}/{keyName}")
    static let authentication: Authentication<Caller> = .allowingGuests

    let profiles: ProfileService

    struct Request: RequestDecodable {
        let user: UserID
        let field: String

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            field = try input.path("keyName")
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try caller.checkMayEditProfile(of: request.user)
        try await profiles.delete(request.field, of: request.user)
        return EmptyResponse()
    }
}
