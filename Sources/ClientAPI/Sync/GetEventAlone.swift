import Homeserver
import Matrix
import Web

/// [GET /events/{eventId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3eventseventid): an event, for clients that do not say
/// of which room.
struct GetEventAlone: Endpoint {
    static let routes: [Route] = .client(.get, "/events/{eventId}")
    static let authentication: Authentication<Caller> = .required

    let rooms: RoomService
    let rendering: EventWriting
    let reads: ReadLog?

    struct Request: RequestDecodable {
        let eventID: EventID
        let address: String

        init(from input: RequestInput) throws {
            eventID = try input.path("eventId")
            address = input.request.remoteAddress
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RawResponse {
        let event = try await rooms.event(request.eventID, by: Requester(caller))
        reads?.note(
            .messages, event.event.roomID.string, from: request.eventID.string, to: request.eventID.string, by: caller,
            at: request.address)
        return RawResponse(try await rendering.event(event, for: caller))
    }
}
