import Homeserver
import Matrix
import Web

/// [POST /get_missing_events/{roomId}](https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1get_missing_eventsroomid):
/// events between those that a server has and those that it knows of.
struct GetMissingEvents: Endpoint {
    static let routes: [Route] = [.post("/_matrix/federation/v1/get_missing_events/{roomId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let queries: RoomQueries
    let gates: ServerGates

    struct Request: RequestDecodable {
        let room: RoomID
        let latest: [EventID]
        let earliest: [EventID]
        let limit: Int
        let minimumDepth: Int64

        init(from input: RequestInput) throws {
            room = try input.path("roomId")
            let body = try input.body(options: .federation)
            latest = try body.optional("latest_events", as: .array(of: .identifier), default: [])
            earliest = try body.optional("earliest_events", as: .array(of: .identifier), default: [])
            limit = Int(try body.optional("limit", as: .int, default: 10))
            minimumDepth = try body.optional("min_depth", as: .int, default: 0)
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> HTTPResponse {
        let events = try await gates.pass(caller.name) {
            try await queries.missingEvents(
                in: request.room, before: request.latest, after: request.earliest, limit: request.limit,
                minimumDepth: request.minimumDepth, for: caller.name)
        }
        var writer = JSONWriter(capacity: events.reduce(64) { $0 + $1.count + 1 })
        writer.beginObject()
        EventLists.write("events", events, into: &writer)
        writer.endObject()
        return .json(200, writer.bytes)
    }
}
