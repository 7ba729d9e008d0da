import Homeserver
import Matrix
import Web

/// [POST /account/3pid/delete](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete): takes an address
/// from the account.
struct DeleteThirdPartyIdentifier: Endpoint {
    static let routes: [Route] = .client(.post, "/account/3pid/delete")
    static let authentication: Authentication<Caller> = .required

    let addresses: AddressService

    struct Request: RequestDecodable {
        let medium: String
        let address: String

        init(from input: RequestInput) throws {
            let body = try input.body
            medium = try body.required("medium", as: .string)
            address = try body.required("address", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        if request.medium.utf8.elementsEqual("email".utf8) {
            try await addresses.remove(request.address, of: caller.user)
        }
        // No identity server was ever told of it.
        return ["id_server_unbind_result": "no-support"]
    }
}
