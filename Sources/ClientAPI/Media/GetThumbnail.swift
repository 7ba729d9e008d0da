import Homeserver
import Matrix
import Web

/// [GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid)
struct GetThumbnail: Endpoint {
    static let routes = [Route].client(.get, "/media/thumbnail/{serverName}/{mediaId}", versions: ["v1"])
    static let authentication = Authentication<Caller>.allowingGuests
    static let rateLimit: RateLimitClass = .download

    let media: MediaService
    let reads: ReadLog?

    func handle(_ request: ThumbnailRequest, caller: Caller) async throws -> HTTPResponse {
        let file = try await media.thumbnail(of: request.reference, request.key, patience: request.patience)
        reads?.note(.media, request.reference.uri, by: caller, at: request.address)
        return FileResponse(file: file, name: file.uploadName, isPublic: false).response(to: request.conditions)
    }
}
