import Homeserver
import Matrix
import Web

/// [GET /query/directory](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1querydirectory): the room that an alias
/// of this server leads to.
struct QueryDirectory: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/query/directory")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let directory: DirectoryService
    let serverName: ServerName

    struct Request: RequestDecodable {
        let alias: RoomAlias

        init(from input: RequestInput) throws {
            alias = try input.requiredQuery("room_alias", as: .identifier)
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> JSONValue {
        // Of others' aliases this server does not speak for others.
        guard request.alias.server == serverName else {
            throw MatrixError.notFound("This alias is not of this server")
        }
        let found = try await directory.resolve(request.alias)
        return [
            "room_id": .string(found.room.string), "servers": .array(found.servers.map { .string($0.string) }),
        ]
    }
}
