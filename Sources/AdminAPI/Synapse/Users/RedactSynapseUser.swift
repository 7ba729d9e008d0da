import Homeserver
import Matrix
import Store
import Web

/// `POST /_synapse/admin/v1/user/{userId}/redact`: redacts what a user has said last: as the user, or as who asks if they want that or the user
/// is of another server. Answers at once.
///
/// Body: `rooms` (those that the user is in or banned from, if empty), `reason`, `limit` (of events looked at in each room; 1,000, at most
/// 100,000), `use_admin`, `after_ts`, `before_ts`. Answer: `redact_id`.
struct RedactSynapseUser: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/user/{userId}/redact")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    private static let maximumLimit = 100_000
    private static let maximumRooms = 10_000

    let services: SynapseServices

    struct Request: RequestDecodable {
        let user: UserID
        let usesAdministrator: Bool
        let wish: UserRedactions.Wish

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            let body = try input.body
            usesAdministrator = try body.optional("use_admin", as: .bool, default: false)
            let limit = try body.optional("limit", as: .int) ?? 1_000
            guard limit > 0 else { throw MatrixError.invalidParameter("limit must be positive") }
            let rooms: [RoomID] = try body.required("rooms", as: .array(of: .identifier))
            guard rooms.count <= RedactSynapseUser.maximumRooms else {
                throw MatrixError.invalidParameter("\(RedactSynapseUser.maximumRooms) rooms at the most")
            }
            wish = UserRedactions.Wish(
                rooms: rooms, redactor: nil, reason: try body.optional("reason", as: .string),
                limit: Int(min(limit, Int64(RedactSynapseUser.maximumLimit))),
                after: try body.optional("after_ts", as: .int), before: try body.optional("before_ts", as: .int))
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        var wish = request.wish
        if request.usesAdministrator || !request.user.isLocal(to: services.accounts.serverName) {
            wish.redactor = try services.requester(caller).id
        }
        let input = try await services.redactions.input(wish, of: request.user)
        let id = try await services.jobs.ask(
            .userRedaction, about: request.user.string, input: input, result: UserRedactions.nothing,
            alongside: services.noting(
                .userRedact, on: request.user.string, by: caller,
                detail: ["rooms": input["rooms"] ?? [], "use_admin": .bool(wish.redactor != nil)]))
        return ["redact_id": .string(id)]
    }
}

/// `GET /_synapse/admin/v1/user/redact_status/{redactId}`: how far that is.
///
/// Answer: `status`, `failed_redactions` (why, by event), `redacted` (how many events).
struct GetSynapseRedaction: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/user/redact_status/{redactId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let id: String

        init(from input: RequestInput) throws { id = try input.path("redactId") }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let job = try await services.job(request.id, .userRedaction)
        var json: JSONValue = ["status": .string(job.status.name)]
        for name in ["failed_redactions", "redacted"] { json[name] = job.result[name]?.value ?? .null }
        if job.status == .failed { json["error"] = .string(job.error ?? "") }
        return json
    }
}
