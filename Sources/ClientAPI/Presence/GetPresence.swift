import Homeserver
import Matrix
import Web

/// [GET /presence/{userId}/status](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3presenceuseridstatus): a user's presence.
struct GetPresence: Endpoint {
    static let routes: [Route] = .client(.get, "/presence/{userId}/status")
    static let authentication: Authentication<Caller> = .required

    let presence: PresenceService

    struct Request: RequestDecodable {
        let user: UserID

        init(from input: RequestInput) throws { user = try input.path("userId") }
    }

    struct Response: ResponseEncodable {
        let status: PresenceStatus

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            status.writeMembers(into: &encoder.json)
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> Response {
        Response(status: try await presence.presence(of: request.user, seenBy: caller.userID))
    }
}
