import Homeserver
import Matrix
import Web

/// [POST /rooms/{roomId}/ban](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidban)
struct BanUser: Endpoint {
    static let routes = [Route].client(.post, "/rooms/{roomId}/ban")
    static let authentication = Authentication<Caller>.required

    let rooms: RoomService

    func handle(_ request: MembershipRequest, caller: Caller) async throws -> EmptyResponse {
        try await rooms.ban(request.userID, from: request.roomID, by: Requester(caller), reason: request.reason)
        return EmptyResponse()
    }
}
