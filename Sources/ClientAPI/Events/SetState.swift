import Homeserver
import Matrix
import Web

/// [PUT /rooms/{roomId}/state/{eventType}/{stateKey}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey)
struct SetState: Endpoint {
    static let routes =
        [Route].client(.put, "/rooms/{roomId}/state/{eventType}/{stateKey}")
        + [Route].client(.put, "/rooms/{roomId}/state/{eventType}/")
        + [Route].client(.put, "/rooms/{roomId}/state/{eventType}")
    static let authentication = Authentication<Caller>.allowingGuests
    static let rateLimit = RateLimitClass.message

    let rooms: RoomService
    let guests: GuestAccess
    let delayed: DelayedEventService
    let limiter: RateLimiter
    let reads: ReadLog?

    struct Request: RequestDecodable {
        let roomID: RoomID
        let type: EventType
        let key: String
        let content: JSON
        let delay: Int64?
        /// For how long it sticks, in milliseconds.
        let stickyMilliseconds: Int64?
        /// When it was sent, as an application service says.
        let timestamp: String?
        let address: String

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            address = input.request.remoteAddress
            type = EventType(try input.path("eventType"))
            key = input.request.pathParameters["stateKey"] ?? ""
            content = try input.body.json
            delay = try input.delay()
            stickyMilliseconds = try input.stickyMilliseconds()
            timestamp = try input.query("ts", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try caller.checkNotSuspended()
        if request.type == .member, request.content["membership"]?.string == "invite",
            let target = UserID(request.key)
        {
            try limiter.admitInvitations(of: [target], to: request.roomID, by: caller)
        }
        if caller.isGuest, request.type == .member, request.content["membership"]?.string == "join" {
            try await guests.check(request.roomID, via: [], for: Requester(caller))
        }
        if let delay = request.delay {
            let id = try await delayed.add(
                request.type, stateKey: request.key, content: request.content, transaction: nil,
                stickyMilliseconds: request.stickyMilliseconds, to: request.roomID, by: Requester(caller), delay: delay)
            return ["delay_id": .string(id)]
        }
        let event = try await rooms.setState(
            request.type, key: request.key, content: request.content,
            timestamp: try caller.timestamp(request.timestamp), stickyMilliseconds: request.stickyMilliseconds,
            in: request.roomID, by: Requester(caller)
        )
        if let reads, request.type == .member, request.content["membership"]?.string == "join" {
            reads.note(.join, request.roomID.string, by: caller, at: request.address)
        }
        return ["event_id": .string(event.string)]
    }
}
