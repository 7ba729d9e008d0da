import Homeserver
import Matrix
import Web

/// [GET /thirdparty/user/{protocol}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartyuserprotocol): users who stand for people in a network.
struct GetThirdPartyUsers: Endpoint {
    static let routes: [Route] = .client(.get, "/thirdparty/user/{protocol}")
    static let authentication: Authentication<Caller> = .required

    let networks: any ThirdPartyNetworks

    struct Request: RequestDecodable {
        let name: String
        let fields: [(name: String, value: String)]

        init(from input: RequestInput) throws {
            name = try input.path("protocol")
            fields = input.thirdPartyFields
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        .array(try await networks.users(in: request.name, fields: request.fields))
    }
}
