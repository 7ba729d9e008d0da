import Matrix
import Web

/// [GET /login](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login): the ways to log in.
struct GetLoginFlows: Endpoint {
    static let routes: [Route] = .client(.get, "/login")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .standard

    let allowsLoginTokens: Bool

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        var flows: [JSONValue] = [["type": "m.login.password"]]
        if allowsLoginTokens { flows.append(["type": "m.login.token", "get_login_token": true]) }
        return ["flows": .array(flows)]
    }
}
