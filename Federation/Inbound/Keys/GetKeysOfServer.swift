import FederationWire
import Homeserver
import Matrix
import Web

/// [GET /_matrix/key/v2/query/{serverName}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2queryservername): the
/// keys of another server, with this one as the notary.
struct GetKeysOfServer: Endpoint {
    static let routes: [Route] = [
        .get("/_matrix/key/v2/query/{serverName}"), .get("/_matrix/key/v2/query/{serverName}/{keyId}"),
    ]
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .serverKeys

    let publication: any KeyPublication
    let clock: any Clock

    struct Request: RequestDecodable {
        let serverName: ServerName
        let keyID: SigningKeyID?
        let minimumValidUntilTS: Int64?

        init(from input: RequestInput) throws {
            serverName = try input.path("serverName")
            keyID = input.request.pathParameters["keyId"].flatMap { SigningKeyID($0) }
            minimumValidUntilTS = try input.query("minimum_valid_until_ts", as: .milliseconds)
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> HTTPResponse {
        let wanted = WantedKeys(
            keyIDs: request.keyID.map { [$0] } ?? [], validUntilTS: request.minimumValidUntilTS ?? clock.now)
        let documents = try await publication.documents([request.serverName: wanted])
        return .json(200, NotaryAnswer.make(documents))
    }
}
