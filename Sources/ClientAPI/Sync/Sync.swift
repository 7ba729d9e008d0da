import Homeserver
import Matrix
import Web

/// [GET /sync](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync)
struct Sync: Endpoint {
    static let routes = [Route].client(.get, "/sync")
    static let authentication = Authentication<Caller>.allowingGuests
    static let rateLimit = RateLimitClass.none
    static let isLongPoll = true

    let sync: SyncService
    let filters: FilterService

    struct Request: RequestDecodable {
        enum Presence: String { case offline, online, unavailable }

        let filter: String?
        let since: SyncToken?
        let fullState: Bool
        let useStateAfter: Bool
        let timeoutMilliseconds: Int64
        let presence: Presence

        init(from input: RequestInput) throws {
            filter = try input.query("filter", as: .string)
            since = try input.query("since", as: .string).map { try SyncToken(parsing: $0) }
            fullState = try input.query("full_state", as: .bool) ?? false
            useStateAfter =
                try input.query("use_state_after", as: .bool)
                ?? input.query("org.matrix.msc4222.use_state_after", as: .bool) ?? false
            timeoutMilliseconds = try input.query("timeout", as: .milliseconds) ?? 0
            presence = try input.query("set_presence", as: .choice) ?? .online
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> HTTPResponse {
        let filter = try await filters.filter(request.filter, of: UserNumber(caller.userNumber))
        let answer = try await sync.sync(
            SyncRequest(
                user: Requester(caller), since: request.since, filter: filter, fullState: request.fullState,
                useStateAfter: request.useStateAfter, timeoutMilliseconds: max(0, request.timeoutMilliseconds),
                presence: request.presence.rawValue
            )
        )
        return .sync(answer)
    }
}

/// A sync without news waits parked.
struct ParkedSync: ParkedResponse {
    let wait: SyncWait

    func park(_ wake: @escaping @Sendable () -> Void) { wait.park(wake) }
    func leave() { wait.leave() }
    func resume() async throws -> HTTPResponse { .sync(try await wait.resume()) }
}

extension HTTPResponse {
    /// The response that a sync has come to.
    static func sync(_ answer: SyncAnswer) -> HTTPResponse {
        switch answer {
        case .body(let bytes): .json(200, bytes)
        case .waiting(let wait): HTTPResponse(body: .parked(ParkedSync(wait: wait)))
        }
    }
}
