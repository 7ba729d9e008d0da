import Homeserver
import Matrix
import Web

/// [GET /account/3pid](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid): the mail addresses of the account.
struct GetThirdPartyIdentifiers: Endpoint {
    static let routes: [Route] = .client(.get, "/account/3pid")
    static let authentication: Authentication<Caller> = .required

    let addresses: AddressService

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        let found = try await addresses.addresses(of: caller.user)
        return [
            "threepids": .array(
                found.map { address in
                    [
                        "medium": "email", "address": .string(address.address),
                        "validated_at": .integer(address.validatedAt), "added_at": .integer(address.addedAt),
                    ]
                })
        ]
    }
}
