import Homeserver
import Matrix
import Web

/// [POST /join/{roomIdOrAlias}](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3joinroomidoralias),
/// [POST /rooms/{roomId}/join](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidjoin)
struct JoinRoom: Endpoint {
    static let routes = [Route].client(.post, "/join/{roomId}") + [Route].client(.post, "/rooms/{roomId}/join")
    static let authentication = Authentication<Caller>.allowingGuests
    static let rateLimit = RateLimitClass.join

    let rooms: RoomService
    let guests: GuestAccess
    let limiter: RateLimiter
    let reads: ReadLog?

    struct Request: RequestDecodable {
        let room: RoomReference
        let via: [ServerName]
        let extra: JSONObject
        let address: String

        init(from input: RequestInput) throws {
            room = try RoomReference(input.path("roomId"))
            via = input.servers
            address = input.request.remoteAddress
            let body = try input.bodyOrEmpty
            // Whatever else the client says about its joining becomes part of the event, as clients rely on.
            var extra = body.json.value.object ?? [:]
            if let signed = try body.optional("third_party_signed", as: .rawObject) {
                extra["third_party_invite"] = ["signed": signed.value]
            }
            for name in ["third_party_signed", "via", "server_name", "membership", "displayname", "avatar_url"] {
                extra[name] = nil
            }
            _ = try body.optional("reason", as: .string)
            self.extra = extra
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try caller.checkNotSuspended()
        let found = try await request.room.resolve(rooms, via: request.via)
        if !caller.isExemptFromRateLimits, try await rooms.mustBeEnteredRemotely(found.room) {
            try limiter.admit(caller, as: .joinRemote)
        }
        if caller.isGuest { try await guests.check(found.room, via: found.servers, for: Requester(caller)) }
        try await rooms.join(found.room, via: found.servers, by: Requester(caller), extra: request.extra)
        reads?.note(.join, found.room.string, by: caller, at: request.address)
        return ["room_id": .string(found.room.string)]
    }
}
