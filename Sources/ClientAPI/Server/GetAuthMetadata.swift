import Matrix
import Web

/// [GET /auth_metadata](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1auth_metadata): there is no authorization
/// server beside this one, which is said in the way that the specification asks for.
struct GetAuthMetadata: Endpoint {
    static let routes: [Route] =
        .client(.get, "/auth_metadata", versions: ["v1"])
        + .client(.get, "/auth_metadata", versions: ["unstable/org.matrix.msc2965"])
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .none

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue { throw MatrixError.unrecognized }
}
