import Homeserver
import Matrix
import Web

/// [GET /login](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login): the ways to log in.
struct GetLoginFlows: Endpoint {
    static let routes: [Route] = .client(.get, "/login")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .standard

    let allowsLoginTokens: Bool
    let singleSignOn: SingleSignOn?
    let hasAppServices: Bool

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        var flows: [JSONValue] = [["type": "m.login.password"]]
        if let singleSignOn {
            let provider: JSONValue = [
                "id": .string(singleSignOn.providerID), "name": .string(singleSignOn.providerName),
            ]
            flows.append(["type": "m.login.sso", "identity_providers": [provider]])
            // What old clients know it as.
            flows.append(["type": "m.login.cas"])
        }
        if allowsLoginTokens { flows.append(["type": "m.login.token", "get_login_token": true]) }
        if hasAppServices { flows.append(["type": .string(AppServiceLogin.type)]) }
        return ["flows": .array(flows)]
    }
}
