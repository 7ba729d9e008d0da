import Homeserver
import Matrix
import Web

/// [GET /make_join/{roomId}/{userId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_joinroomiduserid): the beginnings of
/// a join event.
struct MakeJoin: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/make_join/{roomId}/{userId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let rooms: RoomService

    struct Request: RequestDecodable {
        let roomID: RoomID
        let userID: UserID
        let versions: [String]

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            userID = try input.path("userId")
            let given = input.request.query.all("ver")
            // Who names no version knows the first one.
            versions = given.isEmpty ? ["1"] : Array(given.prefix(100))
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> JSONValue {
        try await rooms.checkACL(caller.name, in: request.roomID)
        let template = try await rooms.membershipTemplate(
            .join, of: request.userID, in: request.roomID, versions: request.versions, for: caller.name)
        return template.body
    }
}
