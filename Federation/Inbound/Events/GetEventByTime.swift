import Homeserver
import Matrix
import Web

/// [GET /timestamp_to_event/{roomId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1timestamp_to_eventroomid): the
/// event nearest to a time.
struct GetEventByTime: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/timestamp_to_event/{roomId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let finder: EventFinder

    struct Request: RequestDecodable {
        let query: EventFinder.Query

        enum Direction: String {
            case forward = "f"
            case backward = "b"
        }

        init(from input: RequestInput) throws {
            let direction: Direction = try input.requiredQuery("dir", as: .choice)
            query = EventFinder.Query(
                room: try input.path("roomId"), timestamp: try input.requiredQuery("ts", as: .milliseconds),
                searchesForward: direction == .forward)
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> JSONValue {
        let event = try await finder.event(request.query, for: caller.name).event
        return [
            "event_id": .string(event.eventID.string), "origin_server_ts": .integer(event.originServerTS),
        ]
    }
}
