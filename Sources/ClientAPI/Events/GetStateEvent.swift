import Homeserver
import Matrix
import Web

/// [GET /rooms/{roomId}/state/{eventType}/{stateKey}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey)
struct GetStateEvent: Endpoint {
    static let routes =
        [Route].client(.get, "/rooms/{roomId}/state/{eventType}/{stateKey}")
        + [Route].client(.get, "/rooms/{roomId}/state/{eventType}/")
        + [Route].client(.get, "/rooms/{roomId}/state/{eventType}")
    static let authentication = Authentication<Caller>.allowingGuests

    let rooms: RoomService
    let rendering: EventWriting

    struct Request: RequestDecodable {
        enum Format: String { case content, event }

        let roomID: RoomID
        let key: StateKey
        let format: Format

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            key = StateKey(EventType(try input.path("eventType")), input.request.pathParameters["stateKey"] ?? "")
            format = try input.query("format", as: .choice) ?? .content
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RawResponse {
        let event = try await rooms.stateEvent(request.key, in: request.roomID, by: Requester(caller))
        switch request.format {
        case .content: return RawResponse(Array(event.event.content.bytes))
        case .event: return RawResponse(try await rendering.event(event, for: caller))
        }
    }
}
