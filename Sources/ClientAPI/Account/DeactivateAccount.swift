import Homeserver
import Matrix
import Web

/// [POST /account/deactivate](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate): ends the account
/// for good.
struct DeactivateAccount: Endpoint {
    static let routes: [Route] = .client(.post, "/account/deactivate")
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .login

    let accounts: AccountService
    let interactive: InteractiveAuthentication
    let identity: IdentityService

    struct Request: RequestDecodable {
        let erase: Bool
        let auth: JSON?

        init(from input: RequestInput) throws {
            let body = try input.bodyOrEmpty
            erase = try body.optional("erase", as: .bool, default: false)
            auth = try body.optional("auth", as: .rawObject)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        let authorization = try await interactive.authorize(
            .withPassword("POST account/deactivate", of: caller), auth: request.auth
        )
        try await accounts.deactivate(caller.user, erase: request.erase) { [interactive] writer in
            try interactive.finish(authorization, in: writer)
        }
        // What could not be unbound now will be later.
        let isUnbound = try await identity.unbindAll(of: caller.user)
        return ["id_server_unbind_result": isUnbound ? "success" : "no-support"]
    }
}
