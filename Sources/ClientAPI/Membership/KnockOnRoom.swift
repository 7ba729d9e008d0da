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
        let reason: String?

        init(from input: RequestInput) throws {
            room = try RoomReference(input.path("roomIdOrAlias"))
            reason = try input.bodyOrEmpty.optional("reason", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try caller.checkNotSuspended()
        let room = try await request.room.resolve(rooms)
        try await rooms.knock(on: room, by: Requester(caller), reason: request.reason)
        return ["room_id": .string(room.string)]
    }
}
