import Matrix
import Web

/// [GET /_matrix/federation/v1/version](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1version): what this
/// server is.
struct GetFederationVersion: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/version")]
    static let authentication: Authentication<Anonymous> = .none

    let name: String
    let version: String

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        ["server": ["name": .string(name), "version": .string(version)]]
    }
}
