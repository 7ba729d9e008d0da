import Homeserver
import Matrix
import Web

/// [GET /rooms/{roomId}/relations/{eventId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidrelationseventid):
/// the events that relate to one, all of them or those of a kind.
struct GetRelations: Endpoint {
    private static let path = "/rooms/{roomId}/relations/{eventId}"
    private static let versions = ["v1", "unstable"]
    static let routes: [Route] =
        .client(.get, path, versions: versions) + .client(.get, "\(path)/{relType}", versions: versions)
        + .client(.get, "\(path)/{relType}/{eventType}", versions: versions)
    static let authentication = Authentication<Caller>.required

    let rooms: RoomService
    let rendering: EventWriting
    let reads: ReadLog?

    struct Request: RequestDecodable {
        enum Direction: String { case b, f }

        let query: RelationsQuery
        /// As the client has it.
        let from: String?
        let address: String

        private static let defaultLimit = 10

        init(from input: RequestInput) throws {
            from = try input.query("from", as: .string)
            address = input.request.remoteAddress
            let limit = try input.query("limit", as: .int) ?? Self.defaultLimit
            guard limit > 0 else { throw MatrixError.invalidParameter("limit must be at least 1") }
            let parameters = input.request.pathParameters
            query = RelationsQuery(
                room: try input.path("roomId"), event: try input.path("eventId"),
                relationType: parameters["relType"].map { ExactString($0) },
                eventType: parameters["eventType"].map { EventType($0) },
                from: try from.map { try SyncToken(parsing: $0) },
                to: try input.query("to", as: .string).map { try SyncToken(parsing: $0) },
                isBackward: try input.query("dir", as: .choice) ?? Direction.b == .b, limit: limit,
                isRecursive: try input.query("recurse", as: .bool)
                    ?? input.query("org.matrix.msc3981.recurse", as: .bool) ?? false
            )
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RawResponse {
        let page = try await rooms.relations(request.query, by: Requester(caller))
        reads?.note(
            .messages, request.query.room.string, from: page.events.first?.event.eventID.string,
            to: page.events.last?.event.eventID.string, by: caller, at: request.address)
        var writer = JSONWriter(capacity: 1_024 + page.events.count * 700)
        writer.beginObject()
        try await rendering.member("chunk", page.events, for: caller, into: &writer)
        writer.member("next_batch", page.next?.text)
        writer.member("prev_batch", request.from)
        if request.query.isRecursive { writer.member("recursion_depth", Int64(page.depth)) }
        writer.endObject()
        return RawResponse(writer.bytes)
    }
}
