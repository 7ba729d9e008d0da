import Homeserver
import Matrix
import Web

/// [POST /rooms/{roomId}/read_markers](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidread_markers): moves the
/// marker and receipts.
struct SetReadMarkers: Endpoint {
    static let routes: [Route] = .client(.post, "/rooms/{roomId}/read_markers")
    static let authentication: Authentication<Caller> = .required

    let receipts: ReceiptService
    let presence: PresenceService

    struct Request: RequestDecodable {
        let room: RoomID
        let events: [(type: ReceiptType, event: EventID)]

        init(from input: RequestInput) throws {
            room = try input.path("roomId")
            let body = try input.bodyOrEmpty
            // The receipts first: they are what others see.
            events = try [ReceiptType.read, .readPrivate, .fullyRead].compactMap { type in
                try body.optional(type.rawValue, as: JSONForm<EventID>.identifier).map { (type, $0) }
            }
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        for (type, event) in request.events {
            try await receipts.set(type, event: event, of: caller.userID, in: request.room)
        }
        try await presence.act(UserNumber(caller.userNumber))
        return EmptyResponse()
    }
}
