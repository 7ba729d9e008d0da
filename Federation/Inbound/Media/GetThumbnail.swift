import Homeserver
import Matrix
import Store
import Web

/// [GET /media/thumbnail/{mediaId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1mediathumbnailmediaid): a
/// small picture of a file of this server.
struct GetThumbnail: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/media/thumbnail/{mediaId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let media: MediaService
    let serverName: ServerName
    let randomness: any Randomness

    struct Request: RequestDecodable {
        let id: MediaID
        let key: ThumbnailKey
        let patience: MediaPatience

        enum Method: String {
            case crop, scale
        }

        init(from input: RequestInput) throws {
            guard let id = MediaID(try input.path("mediaId") as String) else {
                throw MatrixError.notFound("There is no such file")
            }
            self.id = id
            let width = try input.requiredQuery("width", as: .int)
            let height = try input.requiredQuery("height", as: .int)
            guard width > 0, height > 0 else {
                throw MatrixError.invalidParameter("width and height must be at least 1")
            }
            let method: Method = try input.query("method", as: .choice) ?? .scale
            key = ThumbnailKey(
                coveringWidth: width, height: height, method: method == .crop ? .crop : .scale,
                isAnimated: try input.query("animated", as: .bool) ?? false)
            patience = try MediaPatience(inFederation: input)
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> HTTPResponse {
        let reference = MediaReference(server: serverName, id: request.id)
        let file = try await media.thumbnail(of: reference, request.key, patience: request.patience)
        return FederatedFile(file: file, boundary: randomness.text(32)).response
    }
}
