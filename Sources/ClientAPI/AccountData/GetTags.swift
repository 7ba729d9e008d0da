import Homeserver
import Matrix
import Web

/// [GET /user/{userId}/rooms/{roomId}/tags](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridroomsroomidtags): a
/// room's tags.
struct GetTags: Endpoint {
    static let routes: [Route] = .client(.get, "/user/{userId}/rooms/{roomId}/tags")
    static let authentication: Authentication<Caller> = .required

    let tags: TagService

    struct Request: RequestDecodable {
        let owner: OwnerPath
        let room: RoomID

        init(from input: RequestInput) throws {
            owner = try OwnerPath(from: input)
            room = try input.path("roomId")
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        ["tags": .object(try await tags.tags(of: try request.owner.checked(caller), room: request.room))]
    }
}
