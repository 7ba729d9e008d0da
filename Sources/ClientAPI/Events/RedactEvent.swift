import Homeserver
import Matrix
import Web

/// [PUT /rooms/{roomId}/redact/{eventId}/{txnId}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid)
struct RedactEvent: Endpoint {
    static let routes =
        [Route].client(.put, "/rooms/{roomId}/redact/{eventId}/{txnId}")
        + [Route].client(.post, "/rooms/{roomId}/redact/{eventId}")
    static let authentication = Authentication<Caller>.required
    static let rateLimit = RateLimitClass.message

    let rooms: RoomService

    struct Request: RequestDecodable {
        let roomID: RoomID
        let eventID: EventID
        let transactionID: String?
        let content: JSON

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            eventID = try input.path("eventId")
            transactionID = input.request.pathParameters["txnId"]
            _ = try input.bodyOrEmpty.optional("reason", as: .string)
            content = try input.bodyOrEmpty.json
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        let event = try await rooms.redact(
            request.eventID, content: request.content, transactionID: request.transactionID, in: request.roomID,
            by: Requester(caller)
        )
        return ["event_id": .string(event.string)]
    }
}
