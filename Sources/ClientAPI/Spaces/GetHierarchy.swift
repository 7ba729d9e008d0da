import Homeserver
import Matrix
import Web

/// [GET /rooms/{roomId}/hierarchy](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy): what is in
/// a space.
struct GetHierarchy: Endpoint {
    static let routes: [Route] = .client(.get, "/rooms/{roomId}/hierarchy", versions: ["v1"])
    static let authentication: Authentication<Caller> = .allowingGuests
    static let rateLimit: RateLimitClass = .search

    let spaces: SpaceHierarchy

    struct Request: RequestDecodable {
        let query: SpaceHierarchy.Query
        let from: String?

        init(from input: RequestInput) throws {
            let limit = try input.query("limit", as: .int)
            guard limit ?? 1 > 0 else { throw MatrixError.invalidParameter("limit must be at least 1") }
            query = SpaceHierarchy.Query(
                room: try input.path("roomId"),
                suggestedOnly: try input.query("suggested_only", as: .bool) ?? false, limit: limit,
                maximumDepth: try input.query("max_depth", as: .count))
            from = try input.query("from", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> HTTPResponse {
        let page = try await spaces.page(request.query, from: request.from, by: Requester(caller))
        var writer = JSONWriter(capacity: 4096)
        writer.beginObject()
        writer.key("rooms")
        writer.beginArray()
        for room in page.rooms { room.write(into: &writer, suggestedOnly: request.query.suggestedOnly) }
        writer.endArray()
        writer.member("next_batch", page.next)
        writer.endObject()
        return .json(200, writer.bytes)
    }
}

extension Router {
    /// Serves what is in spaces, and what is told of rooms to those who may come to see them.
    public func addSpaceRoutes(spaces: SpaceHierarchy, rooms: RoomService, in environment: EndpointEnvironment) {
        add(GetHierarchy(spaces: spaces), in: environment)
        add(GetRoomSummary(spaces: spaces, rooms: rooms), in: environment)
    }
}
