import Homeserver
import Matrix
import Web

/// [DELETE /user/{userId}/rooms/{roomId}/tags/{tag}](https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3useruseridroomsroomidtagstag):
/// takes a tag from a room.
struct DeleteTag: Endpoint {
    static let routes: [Route] = .client(.delete, "/user/{userId}/rooms/{roomId}/tags/{tag}")
    static let authentication: Authentication<Caller> = .required

    let tags: TagService

    struct Request: RequestDecodable {
        let owner: OwnerPath
        let room: RoomID
        let tag: String

        init(from input: RequestInput) throws {
            owner = try OwnerPath(from: input)
            room = try input.path("roomId")
            tag = try input.path("tag")
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await tags.remove(request.tag, of: try request.owner.checked(caller), room: request.room)
        return EmptyResponse()
    }
}
