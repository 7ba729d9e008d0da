import Homeserver
import Matrix
import Web

/// [GET /directory/list/room/{roomId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3directorylistroomroomid): whether a room
/// is listed.
struct GetRoomVisibility: Endpoint {
    static let routes: [Route] = .client(.get, "/directory/list/room/{roomId}")
    static let authentication: Authentication<Anonymous> = .none

    let directory: DirectoryService

    struct Request: RequestDecodable {
        let room: RoomID

        init(from input: RequestInput) throws { room = try input.path("roomId") }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        ["visibility": try await directory.isPublished(request.room) ? "public" : "private"]
    }
}
