import Homeserver
import Matrix
import Web

/// [GET /_matrix/key/v2/server](https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2server): this server's keys.
///
/// Not authenticated: whoever wants to verify a signature must be able to ask. The path with a key at its end is from before version
/// 1.4 of the specification; the answer is the same.
struct GetServerKeys: Endpoint {
    static let routes: [Route] = [.get("/_matrix/key/v2/server"), .get("/_matrix/key/v2/server/{keyId}")]
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .serverKeys

    let publication: any KeyPublication

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> HTTPResponse {
        .json(200, try publication.ownDocument())
    }
}
