import Homeserver
import Matrix
import Web

/// [GET /directory/room/{roomAlias}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3directoryroomroomalias): the room that an
/// alias stands for.
struct GetAlias: Endpoint {
    static let routes: [Route] = .client(.get, "/directory/room/{roomAlias}")
    static let authentication: Authentication<Anonymous> = .none

    let directory: DirectoryService

    struct Request: RequestDecodable {
        let alias: RoomAlias

        init(from input: RequestInput) throws { alias = try input.path("roomAlias") }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        let resolved = try await directory.resolve(request.alias)
        return [
            "room_id": .string(resolved.room.string),
            "servers": .array(resolved.servers.map { .string($0.string) }),
        ]
    }
}
