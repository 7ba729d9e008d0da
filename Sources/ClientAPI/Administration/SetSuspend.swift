import Homeserver
import Matrix
import Web

/// [PUT /admin/suspend/{userId}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv1adminsuspenduserid)
struct SetSuspend: Endpoint {
    static let routes = AccountRestriction.suspended.routes(.put)
    static let authentication: Authentication<Operator> = .administering

    let accounts: AccountService
    let audit: AuditTrail

    struct Request: RequestDecodable {
        let user: UserID
        let applies: Bool

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            applies = try input.body.required("suspended", as: .bool)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        try await accounts.restrict(request.user, .suspended, applies: request.applies, by: caller.actor, audit)
    }
}
