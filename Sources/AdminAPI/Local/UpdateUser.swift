import Homeserver
import Matrix
import Store
import Web

/// `PATCH`-like `POST /_chappe/admin/v1/users/{name}`: changes an account. What the body does not name stays as it is.
///
/// Body: `password` (ends all sessions), `admin`, `locked`, `suspended`; `deactivated: true` ends the account, with
/// `erase: true` its profile goes too.
struct UpdateUser: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/users/{name}")]
    static let authentication = Authentication<Anonymous>.none
    static let rateLimit = RateLimitClass.none

    let accounts: AccountService

    struct Request: RequestDecodable {
        let name: String
        let password: String?
        let flags: [(AccountFlags, Bool)]
        let deactivates: Bool
        let erases: Bool

        init(from input: RequestInput) throws {
            name = try input.path("name")
            let body = try input.body
            password = try body.optional("password", as: .string)
            let known: [(String, AccountFlags)] = [("admin", .admin), ("locked", .locked), ("suspended", .suspended)]
            flags = try known.compactMap { name, flag in try body.optional(name, as: .bool).map { (flag, $0) } }
            deactivates = try body.optional("deactivated", as: .bool) ?? false
            erases = try body.optional("erase", as: .bool) ?? false
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> EmptyResponse {
        let account = try await accounts.required(request.name)
        if let password = request.password {
            let hash = try await accounts.hash(newPassword: password)
            try await accounts.setPassword(of: account.user, to: hash, endingSessions: .all)
        }
        if !request.flags.isEmpty {
            try await accounts.setFlags(
                of: account.user, adding: AccountFlags(request.flags.filter(\.1).map(\.0)),
                removing: AccountFlags(request.flags.filter { !$0.1 }.map(\.0))
            )
        }
        if request.deactivates { try await accounts.deactivate(account.user, erase: request.erases) }
        return EmptyResponse()
    }
}
