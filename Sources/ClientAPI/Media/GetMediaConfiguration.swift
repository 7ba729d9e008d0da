import Homeserver
import Matrix
import Web

/// [GET /_matrix/client/v1/media/config](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediaconfig)
struct GetMediaConfiguration: Endpoint {
    static let routes =
        [Route].client(.get, "/media/config", versions: ["v1"]) + [Route].media(.get, "/config")
    static let authentication = Authentication<Caller>.allowingGuests

    let media: MediaService

    func handle(_ request: NoInput, caller: Caller) async throws -> JSONValue {
        ["m.upload.size": .integer(media.policy.maximumUploadBytes)]
    }
}
