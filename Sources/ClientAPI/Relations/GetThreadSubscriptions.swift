import Homeserver
import Matrix
import Store
import Web

/// The threads that the caller has said to follow, or no more to follow, the latest first; a companion of sliding sync.
/// [MSC4308](https://github.com/matrix-org/matrix-spec-proposals/pull/4308)
struct GetThreadSubscriptions: Endpoint {
    static let routes: [Route] = .client(.get, "/thread_subscriptions", versions: ["unstable/io.element.msc4308"])
    static let authentication: Authentication<Caller> = .required

    let rooms: RoomService

    struct Request: RequestDecodable {
        let from: StreamPosition?
        let to: StreamPosition?
        let limit: Int

        init(from input: RequestInput) throws {
            if let direction = try input.query("dir", as: .string), ExactString(direction) != "b" {
                throw MatrixError.invalidParameter("dir can only be b")
            }
            from = try input.query("from", as: .string).map { try SyncToken(parsing: $0).position }
            // A position of sliding sync begins with a token.
            to = try input.query("to", as: .string).map { text in
                try SyncToken(parsing: text.split(separator: ".").first.map { String($0) } ?? "").position
            }
            limit = try input.query("limit", as: .int) ?? ThreadSubscriptionPage.maximumLimit
            guard limit > 0 else { throw MatrixError.invalidParameter("limit must be at least 1") }
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RawResponse {
        let page = try await rooms.threadSubscriptions(
            of: Requester(caller), after: request.to, through: request.from, limit: request.limit)
        var writer = JSONWriter(capacity: 256 + page.wishes.count * 160)
        writer.beginObject()
        page.write(nextName: "end", into: &writer)
        writer.endObject()
        return RawResponse(writer.bytes)
    }
}
