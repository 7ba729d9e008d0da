import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v1/rooms/{roomId}/messages`: a room's history, whoever might see it. The audit trail tells who read it.
///
/// Query: `from`, `to`, `limit` (10), `filter`, `dir` (`f` unless given).
struct GetSynapseRoomMessages: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/rooms/{roomId}/messages")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        private enum Direction: String { case b, f }

        let room: RoomID
        let from: SyncToken?
        let to: SyncToken?
        let isBackward: Bool
        let limit: Int
        let filter: RoomEventFilter

        init(from input: RequestInput) throws {
            room = try input.path("roomId")
            from = try input.query("from", as: .string).map { try SyncToken(parsing: $0) }
            to = try input.query("to", as: .string).map { try SyncToken(parsing: $0) }
            let direction: Direction = try input.query("dir", as: .choice) ?? .f
            isBackward = direction == .b
            limit = try input.query("limit", as: .count) ?? 10
            filter = try input.query("filter", as: .object).map { try RoomEventFilter($0.json) } ?? .all
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> HTTPResponse {
        let page = try await services.rooms.inspectedMessages(
            request.room, from: request.from, to: request.to, backward: request.isBackward, limit: request.limit,
            filter: request.filter)
        try await services.store.write(services.noting(.roomRead, on: request.room.string, by: caller))
        var writer = JSONWriter(capacity: 1_024 + page.events.count * 700)
        writer.beginObject()
        writer.member("start", page.start.text)
        writer.member("end", page.end?.text)
        writer.key("chunk")
        services.write(page.events, into: &writer)
        writer.key("state")
        services.write(page.state, into: &writer)
        writer.endObject()
        return .json(200, writer.bytes)
    }
}

/// `GET /_synapse/admin/v1/rooms/{roomId}/context/{eventId}`: an event and what surrounds it, whoever might see it. The audit trail tells
/// who read it.
///
/// Query: `limit` (10, at most 100), `filter`.
struct GetSynapseRoomContext: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/rooms/{roomId}/context/{eventId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let room: RoomID
        let event: EventID
        let limit: Int
        let filter: RoomEventFilter

        init(from input: RequestInput) throws {
            room = try input.path("roomId")
            event = try input.path("eventId")
            limit = try input.query("limit", as: .count) ?? 10
            filter = try input.query("filter", as: .object).map { try RoomEventFilter($0.json) } ?? .all
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> HTTPResponse {
        let context = try await services.rooms.inspectedContext(
            of: request.event, in: request.room, limit: request.limit, filter: request.filter)
        try await services.store.write(
            services.noting(
                .roomRead, on: request.room.string, by: caller, detail: ["event_id": .string(request.event.string)]))
        var writer = JSONWriter(capacity: 4_096)
        writer.beginObject()
        writer.member("start", context.start.text)
        writer.member("end", context.end.text)
        writer.key("event")
        services.write(context.event, into: &writer)
        for (name, events) in [
            ("events_before", context.before), ("events_after", context.after), ("state", context.state),
        ] {
            writer.key(name)
            services.write(events, into: &writer)
        }
        writer.endObject()
        return .json(200, writer.bytes)
    }
}
