import Homeserver
import Matrix
import Web

/// [GET /rooms/{roomId}/messages](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmessages)
struct GetMessages: Endpoint {
    static let routes = [Route].client(.get, "/rooms/{roomId}/messages")
    static let authentication = Authentication<Caller>.allowingGuests

    let rooms: RoomService
    let rendering: EventWriting
    let reads: ReadLog?

    struct Request: RequestDecodable {
        enum Direction: String { case b, f }

        let roomID: RoomID
        let from: SyncToken?
        let to: SyncToken?
        let direction: Direction
        let limit: Int
        let filter: RoomEventFilter
        let address: String

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            address = input.request.remoteAddress
            from = try input.query("from", as: .string).map { try SyncToken(parsing: $0) }
            to = try input.query("to", as: .string).map { try SyncToken(parsing: $0) }
            direction = try input.requiredQuery("dir", as: .choice)
            limit = try input.query("limit", as: .count) ?? 10
            filter = try input.query("filter", as: .object).map { try RoomEventFilter($0.json) } ?? .all
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RawResponse {
        let page = try await rooms.messages(
            request.roomID, from: request.from, to: request.to, backward: request.direction == .b,
            limit: min(request.limit, request.filter.limit ?? request.limit), filter: request.filter,
            by: Requester(caller)
        )
        reads?.note(
            .messages, request.roomID.string, from: page.start.text, to: page.end?.text, by: caller, at: request.address
        )
        var writer = JSONWriter(capacity: 1_024 + page.events.count * 700)
        writer.beginObject()
        writer.member("start", page.start.text)
        writer.member("end", page.end?.text)
        try await rendering.member("chunk", page.events, for: caller, into: &writer)
        if !page.state.isEmpty { try await rendering.member("state", page.state, for: caller, into: &writer) }
        writer.endObject()
        return RawResponse(writer.bytes)
    }
}
