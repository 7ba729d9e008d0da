import Homeserver
import Matrix
import Web

/// [GET /backfill/{roomId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1backfillroomid): events and what came
/// before them.
struct GetBackfill: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/backfill/{roomId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let queries: RoomQueries
    let gates: ServerGates
    let serverName: ServerName
    let clock: any Clock

    struct Request: RequestDecodable {
        let room: RoomID
        let events: [EventID]
        let limit: Int

        init(from input: RequestInput) throws {
            events = try input.queries("v", as: .identifier)
            guard !events.isEmpty else { throw MatrixError.missingParameter("v is missing in the query") }
            limit = try input.query("limit", as: .int) ?? 10
            room = try input.path("roomId")
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> HTTPResponse {
        let events = try await gates.pass(caller.name) {
            try await queries.backfill(
                request.room, from: request.events, limit: request.limit, for: caller.name)
        }
        return EventLists.transaction(events, origin: serverName, now: clock.now)
    }
}
