import Homeserver
import Matrix
import Web

/// [GET /auth_metadata](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1auth_metadata): what the service says
/// that users sign in at. Where they sign in here, that is said in the way that the specification asks for.
struct GetAuthMetadata: Endpoint {
    static let routes: [Route] =
        .client(.get, "/auth_metadata", versions: ["v1"])
        + .client(.get, "/auth_metadata", versions: ["unstable/org.matrix.msc2965"])
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .none

    let delegated: DelegatedAuthentication?

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        guard let delegated else { throw MatrixError.unrecognized }
        return try await delegated.metadata().value
    }
}
