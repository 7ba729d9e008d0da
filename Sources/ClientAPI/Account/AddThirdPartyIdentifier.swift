import Homeserver
import Matrix
import Web

/// [POST /account/3pid/add](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd): adds a mail address that
/// was shown to the account.
struct AddThirdPartyIdentifier: Endpoint {
    static let routes: [Route] = .client(.post, "/account/3pid/add")
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .login

    let addresses: AddressService
    let interactive: InteractiveAuthentication

    struct Request: RequestDecodable {
        let sid: String
        let clientSecret: String
        let auth: JSON?

        init(from input: RequestInput) throws {
            let body = try input.body
            sid = try body.required("sid", as: .string)
            clientSecret = try body.required("client_secret", as: .string)
            auth = try body.optional("auth", as: .rawObject)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try addresses.checkChangesAllowed()
        let authorization = try await interactive.authorize(
            .withPassword("POST account/3pid/add", of: caller), auth: request.auth)
        try await addresses.add(
            request.sid, clientSecret: request.clientSecret, to: caller.user, resetsPassword: true
        ) { [interactive] writer in try interactive.finish(authorization, in: writer) }
        return EmptyResponse()
    }
}

/// [POST /account/3pid](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pid), deprecated: the same, as older
/// clients ask for it, without asking who it is. Who has found an access token must not take the account over: the address does not
/// replace the password.
struct SetThirdPartyIdentifier: Endpoint {
    static let routes: [Route] = .client(.post, "/account/3pid")
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .login

    let addresses: AddressService

    struct Request: RequestDecodable {
        let sid: String
        let clientSecret: String

        init(from input: RequestInput) throws {
            let proof = try input.body.required("three_pid_creds", as: .object)
            sid = try proof.required("sid", as: .string)
            clientSecret = try proof.required("client_secret", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try addresses.checkChangesAllowed()
        try await addresses.add(
            request.sid, clientSecret: request.clientSecret, to: caller.user, resetsPassword: false)
        return EmptyResponse()
    }
}
