import Homeserver
import Web

/// [POST /logout/all](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logoutall): ends all sessions of the user.
struct LogoutAll: Endpoint {
    static let routes: [Route] = .client(.post, "/logout/all")
    static let authentication: Authentication<Caller> = .evenIfLocked
    static let rateLimit: RateLimitClass = .standard

    let sessions: SessionService

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await sessions.endAll(of: caller.user)
        return EmptyResponse()
    }
}
