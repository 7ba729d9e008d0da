import Homeserver
import Matrix
import Web

/// [GET /make_leave/{roomId}/{userId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_leaveroomiduserid): the beginnings of
/// a leave event.
struct MakeLeave: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/make_leave/{roomId}/{userId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let rooms: RoomService

    struct Request: RequestDecodable {
        let roomID: RoomID
        let userID: UserID

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            userID = try input.path("userId")
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> JSONValue {
        try await rooms.checkACL(caller.name, in: request.roomID)
        let template = try await rooms.membershipTemplate(
            .leave, of: request.userID, in: request.roomID, versions: nil, for: caller.name)
        return template.body
    }
}
