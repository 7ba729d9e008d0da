import Homeserver
import Matrix
import Web

/// [GET /rooms/{roomId}/threads](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidthreads): the events that
/// threads begin with.
struct GetThreads: Endpoint {
    static let routes: [Route] =
        .client(.get, "/rooms/{roomId}/threads", versions: ["v1"])
        + .client(.get, "/rooms/{roomId}/threads", versions: ["unstable/org.matrix.msc3856"])
    static let authentication = Authentication<Caller>.required

    let rooms: RoomService
    let rendering: EventWriting
    let reads: ReadLog?

    struct Request: RequestDecodable {
        enum Included: String { case all, participated }

        let roomID: RoomID
        let included: Included
        let from: SyncToken?
        let limit: Int
        let address: String

        private static let defaultLimit = 20

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            address = input.request.remoteAddress
            included = try input.query("include", as: .choice) ?? .all
            from = try input.query("from", as: .string).map { try SyncToken(parsing: $0) }
            limit = try input.query("limit", as: .int) ?? Self.defaultLimit
            guard limit > 0 else { throw MatrixError.invalidParameter("limit must be at least 1") }
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RawResponse {
        let page = try await rooms.threads(
            of: request.roomID, participated: request.included == .participated, from: request.from,
            limit: request.limit, by: Requester(caller))
        reads?.note(
            .messages, request.roomID.string, from: page.roots.first?.event.eventID.string,
            to: page.roots.last?.event.eventID.string, by: caller, at: request.address)
        var writer = JSONWriter(capacity: 1_024 + page.roots.count * 1_400)
        writer.beginObject()
        try await rendering.member("chunk", page.roots, for: caller, into: &writer)
        writer.member("next_batch", page.next?.text)
        writer.endObject()
        return RawResponse(writer.bytes)
    }
}
