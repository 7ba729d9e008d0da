import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v1/fetch_event/{eventId}`: an event as it was sent, whoever might see it. The audit trail tells who read it.
struct FetchSynapseEvent: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/fetch_event/{eventId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let event: EventID

        init(from input: RequestInput) throws { event = try input.path("eventId") }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        guard let event = try await services.store.event(request.event) else {
            throw MatrixError.notFound("There is no such event")
        }
        try await services.store.write(
            services.noting(
                .roomRead, on: event.event.roomID.string, by: caller,
                detail: ["event_id": .string(request.event.string)]))
        var json = event.event.json.value
        json["event_id"] = .string(request.event.string)
        return ["event": json]
    }
}

/// `GET /_synapse/admin/v1/rooms/{roomId}/timestamp_to_event`: the event of a room that is nearest to a time.
///
/// Query: `ts` (milliseconds since 1970), `dir` (`f`, at or after it, unless `b` is given). Answer: `event_id`, `origin_server_ts`.
struct GetSynapseEventByTime: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/rooms/{roomId}/timestamp_to_event")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        private enum Direction: String { case b, f }

        let room: RoomID
        let time: Int64
        let isForward: Bool

        init(from input: RequestInput) throws {
            room = try input.path("roomId")
            time = try input.requiredQuery("ts", as: .milliseconds)
            let direction: Direction = try input.query("dir", as: .choice) ?? .f
            isForward = direction == .f
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let number = try await services.rooms.number(of: request.room)
        let event = try await services.store.read { reader in
            try reader.events.nearest(
                to: request.time, in: number, searchesForward: request.isForward, limit: 1, offset: 0
            ).first.flatMap { try reader.events.event($0) }
        }
        guard let event else { throw MatrixError.notFound("The room has no event in that direction") }
        return [
            "event_id": .string(event.event.eventID.string), "origin_server_ts": .integer(event.event.originServerTS),
        ]
    }
}
