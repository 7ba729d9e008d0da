import Homeserver
import Matrix
import Web

/// [GET /rooms/{roomId}/timestamp_to_event](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event):
/// the event nearest to a time.
struct GetEventByTime: Endpoint {
    static let routes: [Route] = .client(.get, "/rooms/{roomId}/timestamp_to_event", versions: ["v1"])
    static let authentication: Authentication<Caller> = .allowingGuests

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

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        let event = try await finder.event(request.query, by: Requester(caller)).event
        return [
            "event_id": .string(event.eventID.string), "origin_server_ts": .integer(event.originServerTS),
        ]
    }
}

extension Router {
    /// Serves the look-up of events by their time.
    public func addEventFinderRoutes(finder: EventFinder, in environment: EndpointEnvironment) {
        add(GetEventByTime(finder: finder), in: environment)
    }
}
