import Homeserver
import Matrix
import Web

/// [GET /events](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3events), deprecated.
struct GetEvents: Endpoint {
    static let routes = [Route].client(.get, "/events", versions: ["v3", "r0", "api/v1"])
    static let authentication = Authentication<Caller>.allowingGuests
    static let rateLimit = RateLimitClass.none
    static let isLongPoll = true

    let sync: SyncService

    struct Request: RequestDecodable {
        let from: SyncToken?
        let timeoutMilliseconds: Int64
        let room: RoomID?

        init(from input: RequestInput) throws {
            from = try input.query("from", as: .string).flatMap { try $0.isEmpty ? nil : SyncToken(parsing: $0) }
            timeoutMilliseconds = try input.query("timeout", as: .milliseconds) ?? 0
            room = try input.query("room_id", as: .identifier)
            // Older clients send it; it never was a promise.
            _ = try input.query("limit", as: .count)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RawResponse {
        RawResponse(
            try await sync.events(
                EventStreamRequest(
                    user: Requester(caller), from: request.from, timeoutMilliseconds: request.timeoutMilliseconds,
                    room: request.room
                )
            )
        )
    }
}
