import Homeserver
import Matrix
import Web

/// [POST /account/3pid/bind](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidbind): has an identity server
/// tell that an address is the user's.
struct BindThirdPartyIdentifier: Endpoint {
    static let routes: [Route] = .client(.post, "/account/3pid/bind", versions: ["v3", "r0", "unstable"])
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .login

    let identity: IdentityService

    struct Request: RequestDecodable {
        let sid: String
        let clientSecret: String
        let server: String
        let token: String

        init(from input: RequestInput) throws {
            let body = try input.body
            sid = try body.required("sid", as: .string)
            clientSecret = try body.required("client_secret", as: .string)
            server = try body.required("id_server", as: .string)
            token = try body.required("id_access_token", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await identity.bind(
            session: request.sid, clientSecret: request.clientSecret, at: try identity.server(named: request.server),
            token: request.token, to: Requester(caller))
        return EmptyResponse()
    }
}
