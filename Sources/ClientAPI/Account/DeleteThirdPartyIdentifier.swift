import Homeserver
import Matrix
import Web

/// [POST /account/3pid/delete](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete): takes an address
/// from the account, and ends what identity servers tell of it.
struct DeleteThirdPartyIdentifier: Endpoint {
    static let routes: [Route] = .client(.post, "/account/3pid/delete")
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .login

    let addresses: AddressService
    let identity: IdentityService

    func handle(_ request: AddressRemovalRequest, caller: Caller) async throws -> JSONValue {
        if request.medium.utf8.elementsEqual("email".utf8) {
            try await addresses.remove(request.address, of: caller.user)
        }
        // The address is gone from the account in any case; what could not be unbound now will be later.
        let isUnbound = try? await identity.unbind(
            request.medium, request.address, at: request.server, of: caller.user)
        return ["id_server_unbind_result": isUnbound == true ? "success" : "no-support"]
    }
}
