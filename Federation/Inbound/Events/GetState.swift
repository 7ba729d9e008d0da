import Homeserver
import Matrix
import Web

/// At which event the state of which room is asked for.
struct StateRequest: RequestDecodable {
    let room: RoomID
    let event: EventID

    init(from input: RequestInput) throws {
        event = try input.requiredQuery("event_id", as: .identifier)
        room = try input.path("roomId")
    }
}

/// [GET /state/{roomId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1stateroomid): the state before an event
/// and what allows it.
struct GetState: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/state/{roomId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let queries: RoomQueries
    let gates: ServerGates

    func handle(_ request: StateRequest, caller: RemoteServer) async throws -> HTTPResponse {
        let state = try await gates.pass(caller.name) {
            try await queries.state(before: request.event, in: request.room, for: caller.name)
        }
        return EventLists.response([("auth_chain", state.authChain), ("pdus", state.state)], from: queries)
    }
}
