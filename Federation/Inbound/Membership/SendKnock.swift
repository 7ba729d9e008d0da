import Homeserver
import Matrix
import Web

/// [PUT /send_knock/{roomId}/{eventId}](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1send_knockroomideventid):
/// lets a user of another server knock.
struct SendKnock: Endpoint {
    static let routes: [Route] = [.put("/_matrix/federation/v1/send_knock/{roomId}/{eventId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let rooms: RoomService

    typealias Request = MembershipHandover

    func handle(_ request: MembershipHandover, caller: RemoteServer) async throws -> StrippedResponse {
        try await rooms.checkACL(caller.name, in: request.roomID)
        _ = try await rooms.acceptMembership(
            .knock, request.event, id: request.eventID, in: request.roomID, from: caller.name)
        return StrippedResponse(events: try await rooms.strippedEvents(of: request.roomID))
    }
}

/// What somebody who is not in a room is told of it.
struct StrippedResponse: ResponseEncodable {
    let events: [Event]

    func encode(into encoder: inout ResponseEncoder) {
        encoder.json.beginObject()
        encoder.json.key("knock_room_state")
        encoder.json.beginArray()
        for event in events { event.writeStripped(into: &encoder.json) }
        encoder.json.endArray()
        encoder.json.endObject()
    }
}
