import Homeserver
import Matrix
import Web

/// [GET /_matrix/media/v3/download/{serverName}/{mediaId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3downloadservernamemediaid),
/// [with a file name](https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3downloadservernamemediaidfilename):
/// what clients from before Matrix 1.11 ask for, without a token.
struct LegacyDownloadMedia: Endpoint {
    static let routes =
        [Route].media(.get, "/download/{serverName}/{mediaId}")
        + [Route].media(.get, "/download/{serverName}/{mediaId}/{fileName}")
    static let authentication = Authentication<Anonymous>.none
    static let rateLimit: RateLimitClass = .download

    let media: MediaService
    let isServed: Bool

    func handle(_ request: DownloadRequest, caller: Anonymous) async throws -> HTTPResponse {
        guard isServed else { throw MatrixError.notFound("Files are only given to clients that sign in") }
        let file = try await media.file(request.reference, patience: request.patience)
        return FileResponse(file: file, name: request.fileName ?? file.uploadName, isPublic: true)
            .response(to: request.conditions)
    }
}
