import Homeserver
import Matrix
import Web

/// [GET /thirdparty/protocol/{protocol}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartyprotocolprotocol): one network that bridges lead to.
struct GetThirdPartyProtocol: Endpoint {
    static let routes: [Route] = .client(.get, "/thirdparty/protocol/{protocol}")
    static let authentication: Authentication<Caller> = .required

    let networks: any ThirdPartyNetworks

    struct Request: RequestDecodable {
        let name: String

        init(from input: RequestInput) throws { name = try input.path("protocol") }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        guard let found = try await networks.protocol(request.name) else {
            throw MatrixError.notFound("No bridge knows that protocol")
        }
        return found
    }
}
