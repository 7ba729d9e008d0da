import Homeserver
import Matrix
import Web

/// [PUT /user/{userId}/rooms/{roomId}/tags/{tag}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3useruseridroomsroomidtagstag):
/// gives a tag to a room.
struct SetTag: Endpoint {
    static let routes: [Route] = .client(.put, "/user/{userId}/rooms/{roomId}/tags/{tag}")
    static let authentication: Authentication<Caller> = .required

    let tags: TagService

    struct Request: RequestDecodable {
        let owner: OwnerPath
        let room: RoomID
        let tag: String
        let content: JSON

        init(from input: RequestInput) throws {
            owner = try OwnerPath(from: input)
            room = try input.path("roomId")
            tag = try input.path("tag")
            content = try input.bodyOrEmpty.json
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await tags.set(request.tag, request.content, of: try request.owner.checked(caller), room: request.room)
        return EmptyResponse()
    }
}
