import Homeserver
import Matrix
import Web

/// [POST /knock/{roomIdOrAlias}](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3knockroomidoralias)
struct KnockOnRoom: Endpoint {
    static let routes = [Route].client(.post, "/knock/{roomIdOrAlias}")
    static let authentication = Authentication<Caller>.required
    static let rateLimit = RateLimitClass.join

    let rooms: RoomService

    struct Request: RequestDecodable {
        let room: RoomReference
        let via: [ServerName]
        let reason: String?

        init(from input: RequestInput) throws {
            room = try RoomReference(input.path("roomIdOrAlias"))
            via = input.servers
            reason = try input.bodyOrEmpty.optional("reason", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try caller.checkNotSuspended()
        let found = try await request.room.resolve(rooms, via: request.via)
        try await rooms.knock(on: found.room, via: found.servers, by: Requester(caller), reason: request.reason)
        return ["room_id": .string(found.room.string)]
    }
}
