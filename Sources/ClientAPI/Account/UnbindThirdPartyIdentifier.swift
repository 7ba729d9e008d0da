import Homeserver
import Matrix
import Web

/// What clients ask who want an address of theirs to be forgotten.
struct AddressRemovalRequest: RequestDecodable {
    let medium: String
    let address: String
    let server: String?

    init(from input: RequestInput) throws {
        let body = try input.body
        medium = try body.required("medium", as: .string)
        address = try body.required("address", as: .string)
        server = try body.optional("id_server", as: .string)
    }
}

/// [POST /account/3pid/unbind](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidunbind): ends what an identity
/// server tells of an address.
struct UnbindThirdPartyIdentifier: Endpoint {
    static let routes: [Route] = .client(.post, "/account/3pid/unbind", versions: ["v3", "r0", "unstable"])
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .login

    let identity: IdentityService

    func handle(_ request: AddressRemovalRequest, caller: Caller) async throws -> JSONValue {
        let isUnbound = try await identity.unbind(
            request.medium, request.address, at: request.server, of: caller.user)
        return ["id_server_unbind_result": isUnbound ? "success" : "no-support"]
    }
}
