import Homeserver
import Matrix
import Web

/// [PUT /_matrix/media/v3/upload/{serverName}/{mediaId}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixmediav3uploadservernamemediaid)
struct UploadToMedia: Endpoint {
    static let routes = [Route].media(.put, "/upload/{serverName}/{mediaId}")
    static let authentication = Authentication<Caller>.required
    static let rateLimit = RateLimitClass.upload

    let media: MediaService

    var body: BodyPolicy { media.uploadBody }

    struct Request: RequestDecodable {
        let reference: MediaReference
        let upload: FileUpload

        init(from input: RequestInput) throws {
            reference = try MediaReference(in: input)
            upload = try FileUpload(from: input)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await media.upload(request.upload.file, to: request.reference, by: UserNumber(caller.userNumber))
        return EmptyResponse()
    }
}
