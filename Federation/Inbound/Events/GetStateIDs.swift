import Homeserver
import Matrix
import Web

/// [GET /state_ids/{roomId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1state_idsroomid): which events are
/// the state before an event, and which allow them.
struct GetStateIDs: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/state_ids/{roomId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let queries: RoomQueries
    let gates: ServerGates

    func handle(_ request: StateRequest, caller: RemoteServer) async throws -> HTTPResponse {
        let state = try await gates.pass(caller.name) {
            try await queries.state(before: request.event, in: request.room, for: caller.name)
        }
        var writer = JSONWriter(capacity: 64 + 50 * (state.state.count + state.authChain.count))
        writer.beginObject()
        EventLists.write("auth_chain_ids", state.authChain, into: &writer)
        EventLists.write("pdu_ids", state.state, into: &writer)
        writer.endObject()
        return .json(200, writer.bytes)
    }
}
