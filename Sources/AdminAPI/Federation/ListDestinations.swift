import Homeserver
import Matrix
import Web

/// `GET /_chappe/admin/v1/federation/destinations`: the servers that this one sends to and what waits for them, in
/// the order of their names, a page at a time.
///
/// Query: `from` (the `next` of the page before), `limit` (100, at most 1,000).
struct ListDestinations: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/federation/destinations")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let queue: any FederationQueue

    struct Request: RequestDecodable {
        let from: ServerName?
        let limit: Int

        init(from input: RequestInput) throws {
            from = try input.query("from", as: .identifier)
            limit = min(try input.query("limit", as: .count) ?? 100, 1_000)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let list = try await queue.destinations(after: request.from, limit: request.limit)
        var response: JSONValue = ["destinations": .array(list.map(Self.json))]
        if list.count == request.limit, let last = list.last { response["next"] = .string(last.server.string) }
        return response
    }

    private static func json(_ status: DestinationStatus) -> JSONValue {
        var json: JSONValue = [
            "server_name": .string(status.server.string), "pending_events": .integer(Int64(status.pendingEvents)),
            "pending_to_device": .integer(Int64(status.pendingDeviceMessages)),
            "failures": .integer(Int64(status.failures)),
        ]
        if let time = status.firstFailure { json["first_failure_ts"] = .integer(time) }
        if let time = status.nextAttempt { json["next_attempt_ts"] = .integer(time) }
        if let time = status.lastAttempt { json["last_attempt_ts"] = .integer(time) }
        if let time = status.lastSuccess { json["last_success_ts"] = .integer(time) }
        if let error = status.lastError { json["last_error"] = .string(error) }
        return json
    }
}
