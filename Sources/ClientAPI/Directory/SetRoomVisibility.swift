import Homeserver
import Matrix
import Web

/// [PUT /directory/list/room/{roomId}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3directorylistroomroomid): lists a room,
/// or no longer.
struct SetRoomVisibility: Endpoint {
    static let routes: [Route] = .client(.put, "/directory/list/room/{roomId}")
    static let authentication: Authentication<Caller> = .required

    let directory: DirectoryService

    enum Visibility: String {
        case `public`
        case `private`
    }

    struct Request: RequestDecodable {
        let room: RoomID
        let visibility: Visibility

        init(from input: RequestInput) throws {
            room = try input.path("roomId")
            visibility = try input.bodyOrEmpty.optional("visibility", as: .choice, default: .public)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await directory.setPublished(
            request.visibility == .public, request.room, by: caller.userID, isAdministrator: caller.isAdministrator)
        return EmptyResponse()
    }
}
