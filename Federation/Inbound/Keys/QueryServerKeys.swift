import FederationWire
import Homeserver
import Matrix
import Web

/// [POST /_matrix/key/v2/query](https://spec.matrix.org/v1.19/server-server-api/#post_matrixkeyv2query): the keys of several other
/// servers, with this one as the notary.
struct QueryServerKeys: Endpoint {
    static let routes: [Route] = [.post("/_matrix/key/v2/query")]
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .serverKeys

    let publication: any KeyPublication
    let clock: any Clock

    struct Request: RequestDecodable {
        let body: JSONFields

        init(from input: RequestInput) throws { body = try input.body }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> HTTPResponse {
        let now = clock.now
        guard let query = ServerKeyQuery(parsing: request.body.json, now: now) else {
            throw MatrixError.badJSON(
                "server_keys must map at most \(ServerKeyQuery.maximumServers) server names to the keys wanted")
        }
        let wanted = query.wanted.mapValues { keys in
            WantedKeys(keyIDs: Set(keys.keys), validUntilTS: keys.values.max() ?? now)
        }
        return .json(200, NotaryAnswer.make(try await publication.documents(wanted)))
    }
}
