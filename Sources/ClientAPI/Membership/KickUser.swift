import Homeserver
import Matrix
import Web

/// [POST /rooms/{roomId}/kick](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidkick)
struct KickUser: Endpoint {
    static let routes = [Route].client(.post, "/rooms/{roomId}/kick")
    static let authentication = Authentication<Caller>.required

    let rooms: RoomService

    func handle(_ request: MembershipRequest, caller: Caller) async throws -> EmptyResponse {
        try await rooms.kick(request.userID, from: request.roomID, by: Requester(caller), reason: request.reason)
        return EmptyResponse()
    }
}
