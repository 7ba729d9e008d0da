import Homeserver
import Matrix
import Web

/// [GET /rooms/{roomId}/event/{eventId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomideventeventid)
struct GetEvent: Endpoint {
    static let routes = [Route].client(.get, "/rooms/{roomId}/event/{eventId}")
    static let authentication = Authentication<Caller>.allowingGuests

    let rooms: RoomService
    let rendering: EventWriting
    let reads: ReadLog?

    struct Request: RequestDecodable {
        let roomID: RoomID
        let eventID: EventID
        let address: String

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            address = input.request.remoteAddress
            eventID = try input.path("eventId")
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RawResponse {
        let event = try await rooms.event(request.eventID, in: request.roomID, by: Requester(caller))
        reads?.note(
            .messages, request.roomID.string, from: request.eventID.string, to: request.eventID.string, by: caller,
            at: request.address)
        return RawResponse(try await rendering.event(event, for: caller))
    }
}
