import Homeserver
import Matrix
import Web

/// [GET /rooms/{roomId}/aliases](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidaliases): the aliases of a room on
/// this server.
struct GetRoomAliases: Endpoint {
    static let routes: [Route] = .client(.get, "/rooms/{roomId}/aliases")
    static let authentication: Authentication<Caller> = .required

    let directory: DirectoryService

    struct Request: RequestDecodable {
        let room: RoomID

        init(from input: RequestInput) throws { room = try input.path("roomId") }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        let aliases = try await directory.aliases(
            of: request.room, for: caller.userID, isAdministrator: caller.isAdministrator)
        return ["aliases": .array(aliases.map { .string($0.string) })]
    }
}
