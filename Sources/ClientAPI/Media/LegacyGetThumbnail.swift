import Homeserver
import Matrix
import Web

/// [GET /_matrix/media/v3/thumbnail/{serverName}/{mediaId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3thumbnailservernamemediaid):
/// what clients from before Matrix 1.11 ask for, without a token.
struct LegacyGetThumbnail: Endpoint {
    static let routes = [Route].media(.get, "/thumbnail/{serverName}/{mediaId}")
    static let authentication = Authentication<Anonymous>.none
    static let rateLimit: RateLimitClass = .download

    let media: MediaService
    let isServed: Bool

    func handle(_ request: ThumbnailRequest, caller: Anonymous) async throws -> HTTPResponse {
        guard isServed else { throw MatrixError.notFound("Files are only given to clients that sign in") }
        let file = try await media.thumbnail(of: request.reference, request.key, patience: request.patience)
        return FileResponse(file: file, name: file.uploadName, isPublic: true).response(to: request.conditions)
    }
}
