import Homeserver
import Matrix
import Web

/// [GET /thirdparty/location](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartylocation): the places in networks that a room stands for.
struct GetLocationsOfAlias: Endpoint {
    static let routes: [Route] = .client(.get, "/thirdparty/location")
    static let authentication: Authentication<Caller> = .required

    let networks: any ThirdPartyNetworks

    struct Request: RequestDecodable {
        let alias: RoomAlias

        init(from input: RequestInput) throws { alias = try input.requiredQuery("alias", as: .identifier) }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        .array(try await networks.locations(of: request.alias))
    }
}
