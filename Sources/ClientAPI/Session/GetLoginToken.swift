import Homeserver
import Matrix
import Web

/// [POST /login/get_token](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token): a token with which
/// another device of the user logs in.
struct GetLoginToken: Endpoint {
    static let routes: [Route] = .client(.post, "/login/get_token", versions: ["v1"])
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .login

    let sessions: SessionService
    let interactive: InteractiveAuthentication

    struct Request: RequestDecodable {
        let auth: JSON?

        init(from input: RequestInput) throws { auth = try input.bodyOrEmpty.optional("auth", as: .rawObject) }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        let authorization = try await interactive.authorize(
            .withPassword("POST login/get_token", of: caller), auth: request.auth
        )
        let (token, expiresIn) = try await sessions.loginToken(for: caller.user) { [interactive] writer in
            try interactive.finish(authorization, in: writer)
        }
        return ["login_token": .string(token), "expires_in_ms": .integer(expiresIn)]
    }
}
