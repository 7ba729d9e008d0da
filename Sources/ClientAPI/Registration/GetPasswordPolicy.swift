import Homeserver
import Matrix
import Web

/// GET /password_policy of [MSC2000](https://github.com/matrix-org/matrix-spec-proposals/pull/2000): which passwords users may choose.
struct GetPasswordPolicy: Endpoint {
    static let routes: [Route] = .client(.get, "/password_policy")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .none

    let policy: PasswordPolicy

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue { policy.rules }
}
