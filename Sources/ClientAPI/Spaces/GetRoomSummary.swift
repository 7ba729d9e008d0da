import Homeserver
import Matrix
import Web

/// [GET /room_summary/{roomIdOrAlias}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1room_summaryroomidoralias): what is
/// told of a room to those who may come to see it.
struct GetRoomSummary: Endpoint {
    static let routes: [Route] =
        .client(.get, "/room_summary/{roomIdOrAlias}", versions: ["v1"])
        + .client(.get, "/summary/{roomIdOrAlias}", versions: ["unstable/im.nheko.summary"])
        + .client(.get, "/rooms/{roomIdOrAlias}/summary", versions: ["unstable/im.nheko.summary"])
    static let authentication: Authentication<Caller?> = .optional
    static let rateLimit: RateLimitClass = .search

    let spaces: SpaceHierarchy
    let rooms: RoomService

    struct Request: RequestDecodable {
        let room: RoomReference
        let servers: [ServerName]

        init(from input: RequestInput) throws {
            room = try RoomReference(try input.path("roomIdOrAlias"))
            servers = input.servers
        }
    }

    func handle(_ request: Request, caller: Caller?) async throws -> RawResponse {
        if case .alias(let alias) = request.room, caller == nil, alias.server != rooms.serverName {
            throw MatrixError.missingToken
        }
        let room = try await request.room.resolve(rooms, via: request.servers)
        let found = try await spaces.summary(of: room.room, via: room.servers, for: caller.map { Requester($0) })
        var writer = JSONWriter(capacity: 1_024)
        found.room.writeSummary(membership: found.membership, into: &writer)
        return RawResponse(writer.bytes)
    }
}
