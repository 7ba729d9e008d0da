import Homeserver
import Matrix
import Web

/// `POST /_chappe/admin/v1/users/import`: makes many accounts, those that are not there yet.
///
/// Body: `users`, at most 500, each with `localpart` or `emails`, and optionally `displayname`, `password`, `admin`; `dry_run` (false).
/// Answer: `results`, one for each: `status` (`new`, `known`, `invalid`), `user_id`, `error`.
struct ImportUsers: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/users/import")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    struct Request: RequestDecodable {
        let users: [ImportedAccount]
        let isDryRun: Bool

        init(from input: RequestInput) throws {
            let body = try input.body
            users = try body.required("users", as: .array(of: .rawObject)).map(Self.account)
            guard users.count <= AccountImport.batchSize else {
                throw MatrixError.invalidParameter("At most \(AccountImport.batchSize) accounts are made at once")
            }
            isDryRun = try body.optional("dry_run", as: .bool, default: false)
        }

        private static func account(_ json: JSON) throws -> ImportedAccount {
            let fields = JSONFields(json)
            return ImportedAccount(
                localpart: try fields.optional("localpart", as: .string),
                displayName: try fields.optional("displayname", as: .string),
                emails: try fields.optional("emails", as: .array(of: .string)) ?? [],
                password: try fields.optional("password", as: .string),
                isAdmin: try fields.optional("admin", as: .bool, default: false))
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let making = AccountImport(
            accounts: services.accounts, audit: services.audit, store: services.store, clock: services.clock)
        let outcomes =
            request.isDryRun
            ? try await making.check(request.users) : try await making.make(request.users, by: caller.actor)
        return [
            "results": .array(
                outcomes.map { outcome in
                    switch outcome {
                    case .new(let user): ["status": "new", "user_id": .string(user.string)]
                    case .known(let user): ["status": "known", "user_id": .string(user.string)]
                    case .invalid(let why): ["status": "invalid", "error": .string(why)]
                    }
                })
        ]
    }
}
