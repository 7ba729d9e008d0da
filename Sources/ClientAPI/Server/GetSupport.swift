import Matrix
import Web

/// [GET /.well-known/matrix/support](https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixsupport): whom to turn to.
struct GetSupport: Endpoint {
    static let routes: [Route] = [.get("/.well-known/matrix/support")]
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .none

    let features: ServerFeatures

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        guard !features.support.isEmpty else { throw MatrixError.notFound("No contact has been configured") }
        return .object(features.support)
    }
}
