import Homeserver
import Matrix
import Web

/// GET /_synapse/admin/v1/register: a nonce for registration by shared secret, as
/// [Synapse](https://element-hq.github.io/synapse/latest/admin_api/register_api.html) has it.
struct GetRegistrationNonce: Endpoint {
    static let routes: [Route] = [.get("/_synapse/admin/v1/register")]
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .registration

    let registration: SharedSecretRegistration

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        ["nonce": .string(try await registration.nonce())]
    }
}
