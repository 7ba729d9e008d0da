import Homeserver
import Matrix
import Web

/// [POST /rooms/{roomId}/invite](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidinvite)
struct InviteUser: Endpoint {
    static let routes = [Route].client(.post, "/rooms/{roomId}/invite")
    static let authentication = Authentication<Caller>.required
    static let rateLimit = RateLimitClass.invite

    let rooms: RoomService

    struct Request: RequestDecodable {
        let roomID: RoomID
        let userID: UserID
        let reason: String?

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            let body = try input.body
            if !body.contains("user_id"), body.contains("address") || body.contains("medium") {
                throw MatrixError(403, "M_THREEPID_DENIED", "Invitations by e-mail or telephone are not possible here")
            }
            userID = try body.required("user_id", as: .identifier)
            reason = try body.optional("reason", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try caller.checkNotSuspended()
        try await rooms.invite(request.userID, to: request.roomID, by: Requester(caller), reason: request.reason)
        return EmptyResponse()
    }
}
