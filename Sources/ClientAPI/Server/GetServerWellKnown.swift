import Matrix
import Web

/// [GET /.well-known/matrix/server](https://spec.matrix.org/v1.19/server-server-api/#getwell-knownmatrixserver): where other servers
/// find this one.
struct GetServerWellKnown: Endpoint {
    static let routes: [Route] = [.get("/.well-known/matrix/server")]
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .none

    let features: ServerFeatures

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        guard let server = features.delegatedServer else {
            throw MatrixError.notFound("No address has been configured")
        }
        return ["m.server": .string(server)]
    }
}
