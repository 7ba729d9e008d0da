import Homeserver
import Matrix
import Store
import Web

/// [GET /notifications](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3notifications): what the caller has been notified of.
struct GetNotifications: Endpoint {
    static let routes: [Route] = .client(.get, "/notifications")
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .search

    let history: NotificationHistory
    let rendering: EventWriting

    struct Request: RequestDecodable {
        let from: SyncToken?
        let limit: Int
        let onlyHighlights: Bool

        private static let defaultLimit = 30

        init(from input: RequestInput) throws {
            from = try input.query("from", as: .string).map { try SyncToken(parsing: $0) }
            limit = try input.query("limit", as: .count) ?? Self.defaultLimit
            onlyHighlights = try input.query("only", as: .string).map { ExactString($0) } == "highlight"
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RawResponse {
        let page = try await history.page(
            of: Requester(caller), from: request.from, limit: request.limit, onlyHighlights: request.onlyHighlights)
        var writer = JSONWriter(capacity: 256 + page.entries.count * 900)
        writer.beginObject()
        writer.member("next_token", page.next?.text)
        writer.key("notifications")
        writer.beginArray()
        let events = try await rendering.each(page.entries.map(\.event), for: caller)
        for (entry, event) in zip(page.entries, events) {
            writer.beginObject()
            writer.member("actions", JSONValue.array(entry.actions))
            writer.key("event")
            writer.writeRaw(event)
            // Rules belong to no profile any more; clients of old expect the member.
            writer.member("profile_tag", "")
            writer.member("read", entry.isRead)
            writer.member("room_id", entry.event.event.roomID)
            writer.member("ts", entry.event.receivedTimestamp)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return RawResponse(writer.bytes)
    }
}

extension Router {
    /// Serves what users have been notified of.
    public func addNotificationRoutes(
        history: NotificationHistory, store: Store, clock: any Clock, in environment: EndpointEnvironment
    ) {
        add(GetNotifications(history: history, rendering: EventWriting(store: store, clock: clock)), in: environment)
    }
}
