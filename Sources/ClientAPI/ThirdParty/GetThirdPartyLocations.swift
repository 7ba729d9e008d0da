import Homeserver
import Matrix
import Web

/// [GET /thirdparty/location/{protocol}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartylocationprotocol): rooms that stand for places in a network.
struct GetThirdPartyLocations: Endpoint {
    static let routes: [Route] = .client(.get, "/thirdparty/location/{protocol}")
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
        .array(try await networks.locations(in: request.name, fields: request.fields))
    }
}
