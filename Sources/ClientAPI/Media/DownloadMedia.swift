import Homeserver
import Matrix
import Web

/// [GET /_matrix/client/v1/media/download/{serverName}/{mediaId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid),
/// [with a file name](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediadownloadservernamemediaidfilename)
struct DownloadMedia: Endpoint {
    static let routes =
        [Route].client(.get, "/media/download/{serverName}/{mediaId}", versions: ["v1"])
        + [Route].client(.get, "/media/download/{serverName}/{mediaId}/{fileName}", versions: ["v1"])
    static let authentication = Authentication<Caller>.allowingGuests
    static let rateLimit: RateLimitClass = .download

    let media: MediaService
    let reads: ReadLog?

    func handle(_ request: DownloadRequest, caller: Caller) async throws -> HTTPResponse {
        let file = try await media.file(request.reference, patience: request.patience)
        reads?.note(.media, request.reference.uri, by: caller, at: request.address)
        return FileResponse(file: file, name: request.fileName ?? file.uploadName, isPublic: false)
            .response(to: request.conditions)
    }
}
