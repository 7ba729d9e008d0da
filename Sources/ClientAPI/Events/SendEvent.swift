import Homeserver
import Matrix
import Web

/// [PUT /rooms/{roomId}/send/{eventType}/{txnId}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid)
struct SendEvent: Endpoint {
    static let routes =
        [Route].client(.put, "/rooms/{roomId}/send/{eventType}/{txnId}")
        + [Route].client(.post, "/rooms/{roomId}/send/{eventType}")
    static let authentication = Authentication<Caller>.allowingGuests
    static let rateLimit = RateLimitClass.message

    let rooms: RoomService
    let delayed: DelayedEventService

    struct Request: RequestDecodable {
        let roomID: RoomID
        let type: EventType
        let transactionID: String?
        let content: JSON
        let delay: Int64?
        /// For how long it sticks, in milliseconds.
        let stickyMilliseconds: Int64?
        /// When it was sent, as an application service says.
        let timestamp: String?

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            type = EventType(try input.path("eventType"))
            transactionID = input.request.pathParameters["txnId"]
            content = try input.body.json
            delay = try input.delay()
            stickyMilliseconds = try input.stickyMilliseconds()
            timestamp = try input.query("ts", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try caller.checkNotSuspended()
        if let delay = request.delay {
            let id = try await delayed.add(
                request.type, stateKey: nil, content: request.content, transaction: request.transactionID,
                stickyMilliseconds: request.stickyMilliseconds, to: request.roomID, by: Requester(caller), delay: delay)
            return ["delay_id": .string(id)]
        }
        let event = try await rooms.send(
            request.type, content: request.content, transactionID: request.transactionID,
            timestamp: try caller.timestamp(request.timestamp), stickyMilliseconds: request.stickyMilliseconds,
            to: request.roomID, by: Requester(caller)
        )
        return ["event_id": .string(event.string)]
    }
}
