import Homeserver
import Matrix
import Web

/// [POST /_matrix/media/v1/create](https://spec.matrix.org/v1.19/client-server-api/#post_matrixmediav1create)
struct CreateMedia: Endpoint {
    static let routes = [Route].media(.post, "/create", versions: ["v1"])
    static let authentication = Authentication<Caller>.required
    static let rateLimit = RateLimitClass.upload

    let media: MediaService

    func handle(_ request: NoInput, caller: Caller) async throws -> JSONValue {
        let place = try await media.reserve(for: UserNumber(caller.userNumber))
        return ["content_uri": .string(place.reference.uri), "unused_expires_at": .integer(place.expires)]
    }
}
