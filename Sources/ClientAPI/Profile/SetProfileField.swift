import Homeserver
import Matrix
import Web

/// [PUT /profile/{userId}/{keyName}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3profileuseridkeyname): tells
/// something of the user.
struct SetProfileField: Endpoint {
    static let routes: [Route] = .client(.put, "/profile/{userId}/{keyName}")
    static let authentication: Authentication<Caller> = .allowingGuests

    let profiles: ProfileService

    struct Request: RequestDecodable {
        let user: UserID
        let field: String
        let value: JSON

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            field = try input.path("keyName")
            value = try input.body.required(field, as: .any)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try caller.checkMayEditProfile(of: request.user)
        try await profiles.set(request.field, to: request.value, of: request.user)
        return EmptyResponse()
    }
}

extension Caller {
    /// Accepts those who may edit a user's profile: the user, unless suspended.
    ///
    /// - Throws: 403 `M_FORBIDDEN`, `M_USER_SUSPENDED`.
    func checkMayEditProfile(of user: UserID) throws(MatrixError) {
        guard user == userID else { throw .forbidden("This is not your profile") }
        try checkNotSuspended()
    }
}
