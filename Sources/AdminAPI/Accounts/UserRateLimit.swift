import Homeserver
import Matrix
import Store
import Web

/// `GET /_chappe/admin/v1/users/{name}/rate_limit`: what takes the place of the configured limits for what a user does.
///
/// Answer: `per_second` (0: no limit) and `burst`, or nothing.
struct GetUserRateLimit: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/users/{name}/rate_limit")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    func handle(_ request: NameRequest, caller: Operator) async throws -> JSONValue {
        let account = try await services.accounts.required(request.name)
        guard let limit = try await services.store.read({ try $0.accounts.rateLimit(of: account.user) }) else {
            return [:]
        }
        return ["per_second": .integer(limit.perSecond), "burst": .integer(limit.burst)]
    }
}

/// `POST /_chappe/admin/v1/users/{name}/rate_limit`: has something take the place of the configured limits for what a user does.
///
/// Body: `per_second` (0: no limit) and `burst`; neither for the configured limits.
struct SetUserRateLimit: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/users/{name}/rate_limit")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    struct Request: RequestDecodable {
        let name: String
        let limit: UserRateLimit?

        init(from input: RequestInput) throws {
            name = try input.path("name")
            let body = try input.bodyOrEmpty
            guard let perSecond = try body.optional("per_second", as: .int) else {
                limit = nil
                return
            }
            limit = try UserRateLimit(checking: perSecond, burst: try body.optional("burst", as: .int, default: 0))
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> EmptyResponse {
        let account = try await services.accounts.required(request.name)
        try await services.setRateLimit(request.limit, of: account, by: caller)
        return EmptyResponse()
    }
}

extension UserRateLimit {
    /// A limit that somebody has asked for.
    ///
    /// - Throws: 400 `M_INVALID_PARAM`.
    init(checking perSecond: Int64, burst: Int64) throws(MatrixError) {
        guard (0...1_000_000).contains(perSecond), (0...1_000_000).contains(burst) else {
            throw .invalidParameter("How often something may be done is a number from 0 to 1000000")
        }
        self.init(perSecond: perSecond, burst: burst)
    }
}

extension AdministrationServices {
    /// Has something take the place of the configured limits for what a user does; nothing if `nil`.
    func setRateLimit(_ limit: UserRateLimit?, of account: AccountRecord, by caller: Operator) async throws {
        var detail: JSONValue = [:]
        if let limit { detail = ["per_second": .integer(limit.perSecond), "burst": .integer(limit.burst)] }
        let noted = detail
        try await accounts.setRateLimit(limit, of: account.user) { [audit] writer in
            try audit.note(.userRateLimit, by: caller.actor, on: account.userID.string, detail: noted, in: writer)
        }
    }
}
