import Homeserver
import Matrix
import Web

/// [GET /rooms/{roomId}/context/{eventId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidcontexteventid)
struct GetContext: Endpoint {
    static let routes = [Route].client(.get, "/rooms/{roomId}/context/{eventId}")
    static let authentication = Authentication<Caller>.allowingGuests

    let rooms: RoomService
    let rendering: EventWriting
    let reads: ReadLog?

    struct Request: RequestDecodable {
        let roomID: RoomID
        let eventID: EventID
        let limit: Int
        let filter: RoomEventFilter
        let address: String

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            address = input.request.remoteAddress
            eventID = try input.path("eventId")
            limit = try input.query("limit", as: .count) ?? 10
            filter = try input.query("filter", as: .object).map { try RoomEventFilter($0.json) } ?? .all
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RawResponse {
        let context = try await rooms.context(
            of: request.eventID, in: request.roomID, limit: request.limit, filter: request.filter, by: Requester(caller)
        )
        reads?.note(
            .messages, request.roomID.string, from: context.start.text, to: context.end.text, by: caller,
            at: request.address)
        var writer = JSONWriter(capacity: 4_096)
        writer.beginObject()
        writer.member("start", context.start.text)
        writer.member("end", context.end.text)
        writer.key("event")
        writer.writeRaw(try await rendering.event(context.event, for: caller))
        try await rendering.member("events_before", context.before, for: caller, into: &writer)
        try await rendering.member("events_after", context.after, for: caller, into: &writer)
        try await rendering.member("state", context.state, for: caller, into: &writer)
        writer.endObject()
        return RawResponse(writer.bytes)
    }
}
