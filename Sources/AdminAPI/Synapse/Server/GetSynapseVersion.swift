import Matrix
import Web

/// `GET /_synapse/admin/v1/server_version`: which server this is, and its version.
struct GetSynapseVersion: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/server_version")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let version: String

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        ["server_version": .string("Chappe \(version)")]
    }
}
