import Homeserver
import Matrix
import Web

/// [GET /thirdparty/protocols](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartyprotocols): the networks that bridges lead to.
struct GetThirdPartyProtocols: Endpoint {
    static let routes: [Route] = .client(.get, "/thirdparty/protocols")
    static let authentication: Authentication<Caller> = .required

    let networks: any ThirdPartyNetworks

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        .object(try await networks.protocols())
    }
}
