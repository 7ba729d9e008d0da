import Homeserver
import Matrix
import Web

/// [GET /delayed_events](https://github.com/matrix-org/matrix-spec-proposals/pull/4140): a user's events that wait.
struct GetDelayedEvents: Endpoint {
    static let routes = [Route].client(.get, "/delayed_events", versions: ["unstable/org.matrix.msc4140"])
    static let authentication = Authentication<Caller>.allowingGuests

    let delayed: DelayedEventService

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        var events: [JSONValue] = []
        for (event, room) in try await delayed.events(of: caller.user) {
            var described: JSONObject = [
                "delay_id": .string(event.id), "room_id": .string(room.string), "type": .string(event.type.string),
                "delay": .integer(event.delay), "running_since": .integer(event.runningSince),
                "content": try JSON(parsing: event.content).value,
            ]
            if let stateKey = event.stateKey { described["state_key"] = .string(stateKey) }
            events.append(.object(described))
        }
        return ["delayed_events": .array(events)]
    }
}
