import Homeserver
import Matrix
import Web

/// [GET /event_auth/{roomId}/{eventId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1event_authroomideventid):
/// what allows an event.
struct GetEventAuth: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/event_auth/{roomId}/{eventId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let queries: RoomQueries
    let gates: ServerGates

    struct Request: RequestDecodable {
        let room: RoomID
        let event: EventID

        init(from input: RequestInput) throws {
            room = try input.path("roomId")
            event = try input.path("eventId")
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> HTTPResponse {
        let chain = try await gates.pass(caller.name) {
            try await queries.authChain(of: request.event, in: request.room, for: caller.name)
        }
        return EventLists.response([("auth_chain", chain)], from: queries)
    }
}
