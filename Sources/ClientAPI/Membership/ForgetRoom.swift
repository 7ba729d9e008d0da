import Homeserver
import Matrix
import Web

/// [POST /rooms/{roomId}/forget](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidforget)
struct ForgetRoom: Endpoint {
    static let routes = [Route].client(.post, "/rooms/{roomId}/forget")
    static let authentication = Authentication<Caller>.allowingGuests

    let rooms: RoomService

    func handle(_ request: RoomRequest, caller: Caller) async throws -> EmptyResponse {
        try await rooms.forget(request.roomID, by: Requester(caller))
        return EmptyResponse()
    }
}
