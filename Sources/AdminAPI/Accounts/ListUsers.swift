import Homeserver
import Matrix
import Store
import Web

/// `GET /_chappe/admin/v1/users`: accounts in the order in which they were made, a page at a time.
///
/// Query: `from` (the `next` of the page before), `limit` (100, at most 1,000).
struct ListUsers: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/users")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let store: Store

    struct Request: RequestDecodable {
        let from: Int64?
        let limit: Int

        init(from input: RequestInput) throws {
            from = try input.query("from", as: .milliseconds)
            limit = min(try input.query("limit", as: .count) ?? 100, 1_000)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let (accounts, names) = try await store.read { reader in
            let accounts = try reader.accounts.accounts(
                after: request.from.map { UserNumber($0) }, limit: request.limit)
            let names = try accounts.map { try reader.profiles.displayName(of: $0.user) }
            return (accounts, names)
        }
        var response: JSONValue = [
            "users": .array(zip(accounts, names).map { UserDescription.json($0, displayName: $1) })
        ]
        if accounts.count == request.limit, let last = accounts.last { response["next"] = .integer(last.user.rawValue) }
        return response
    }
}
