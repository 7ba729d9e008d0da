import Homeserver
import Matrix
import Store
import Web

/// `POST /_chappe/admin/v1/users`: makes an account.
///
/// Body: `name` (localpart), and optionally `password`, `displayname`, `admin`.
struct CreateUser: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/users")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    struct Request: RequestDecodable {
        let name: String
        let password: String?
        let displayName: String?
        let isAdmin: Bool

        init(from input: RequestInput) throws {
            name = try input.body.required("name", as: .string)
            password = try input.body.optional("password", as: .string)
            displayName = try input.body.optional("displayname", as: .string)
            isAdmin = try input.body.optional("admin", as: .bool) ?? false
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let accounts = services.accounts
        let user = try accounts.userID(forNewName: request.name)
        try await accounts.checkAvailable(user)
        var hash: String?
        if let password = request.password { hash = try await accounts.hash(newPassword: password) }
        let isAdmin = request.isAdmin
        _ = try await accounts.create(
            NewAccount(
                userID: user, passwordHash: hash, flags: isAdmin ? [.admin] : [], displayName: request.displayName),
            device: nil
        ) { [audit = services.audit] writer in
            try audit.note(
                .userCreate, by: caller.actor, on: user.string, detail: ["admin": .bool(isAdmin)], in: writer)
        }
        return ["user_id": .string(user.string)]
    }
}
