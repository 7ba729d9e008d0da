import Homeserver
import Matrix
import Web

/// [GET /thirdparty/user](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartyuser): the people in networks that a user stands for.
struct GetThirdPartiesOfUser: Endpoint {
    static let routes: [Route] = .client(.get, "/thirdparty/user")
    static let authentication: Authentication<Caller> = .required

    let networks: any ThirdPartyNetworks

    struct Request: RequestDecodable {
        let user: UserID

        init(from input: RequestInput) throws { user = try input.requiredQuery("userid", as: .identifier) }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        .array(try await networks.users(behind: request.user))
    }
}
