import Homeserver
import Web

/// [POST /logout](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout): ends the session, and removes its
/// device.
struct Logout: Endpoint {
    static let routes: [Route] = .client(.post, "/logout")
    static let authentication: Authentication<Caller> = .evenIfLocked
    static let rateLimit: RateLimitClass = .standard

    let sessions: SessionService

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await sessions.end(try caller.requireDevice(), of: caller.user)
        return EmptyResponse()
    }
}
