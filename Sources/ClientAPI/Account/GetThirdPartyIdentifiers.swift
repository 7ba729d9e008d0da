import Matrix
import Web

/// [GET /account/3pid](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid): the mail addresses and phone
/// numbers of the account. There is no way to add any, so there are none.
struct GetThirdPartyIdentifiers: Endpoint {
    static let routes: [Route] = .client(.get, "/account/3pid")
    static let authentication: Authentication<Caller> = .required

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue { ["threepids": []] }
}
