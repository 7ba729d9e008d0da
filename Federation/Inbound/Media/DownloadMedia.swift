import Homeserver
import Matrix
import Web

/// [GET /media/download/{mediaId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1mediadownloadmediaid): a file
/// of this server.
struct DownloadMedia: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/media/download/{mediaId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let media: MediaService
    let serverName: ServerName
    let randomness: any Randomness

    struct Request: RequestDecodable {
        let id: MediaID
        let patience: MediaPatience

        init(from input: RequestInput) throws {
            guard let id = MediaID(try input.path("mediaId") as String) else {
                throw MatrixError.notFound("There is no such file")
            }
            self.id = id
            patience = try MediaPatience(inFederation: input)
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> HTTPResponse {
        let reference = MediaReference(server: serverName, id: request.id)
        let file = try await media.file(reference, patience: request.patience)
        return FederatedFile(file: file, boundary: randomness.text(32)).response
    }
}

extension MediaPatience {
    /// How long a server says it waits. Only files of this server are given.
    init(inFederation input: RequestInput) throws {
        self.init(
            milliseconds: try input.query("timeout_ms", as: .milliseconds) ?? 20_000, asksRemoteServers: false)
    }
}
