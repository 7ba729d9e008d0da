import Homeserver
import Matrix
import Web

/// [POST /rooms/{roomId}/leave](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidleave)
struct LeaveRoom: Endpoint {
    static let routes = [Route].client(.post, "/rooms/{roomId}/leave")
    static let authentication = Authentication<Caller>.allowingGuests

    let rooms: RoomService

    struct Request: RequestDecodable {
        let roomID: RoomID
        let reason: String?

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            reason = try input.bodyOrEmpty.optional("reason", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await rooms.leave(request.roomID, by: Requester(caller), reason: request.reason)
        return EmptyResponse()
    }
}
