import Homeserver
import Matrix
import Web

/// [GET /rooms/{roomId}/state](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidstate)
struct GetState: Endpoint {
    static let routes = [Route].client(.get, "/rooms/{roomId}/state")
    static let authentication = Authentication<Caller>.allowingGuests

    let rooms: RoomService
    let rendering: EventWriting

    func handle(_ request: RoomRequest, caller: Caller) async throws -> RawResponse {
        let events = try await rooms.state(of: request.roomID, by: Requester(caller))
        return RawResponse(try await rendering.array(events, for: caller))
    }
}
