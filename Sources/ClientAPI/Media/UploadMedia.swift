import Homeserver
import Matrix
import Web

/// [POST /_matrix/media/v3/upload](https://spec.matrix.org/v1.19/client-server-api/#post_matrixmediav3upload)
struct UploadMedia: Endpoint {
    static let routes = [Route].media(.post, "/upload")
    static let authentication = Authentication<Caller>.required
    static let rateLimit = RateLimitClass.upload

    let media: MediaService

    var body: BodyPolicy { media.uploadBody }

    func handle(_ request: FileUpload, caller: Caller) async throws -> JSONValue {
        let reference = try await media.upload(request.file, by: UserNumber(caller.userNumber))
        return ["content_uri": .string(reference.uri)]
    }
}
