import Homeserver
import Matrix
import Web

/// [GET /admin/suspend/{userId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1adminsuspenduserid)
struct GetSuspend: Endpoint {
    static let routes = AccountRestriction.suspended.routes(.get)
    static let authentication: Authentication<Caller> = .administrator

    let accounts: AccountService

    struct Request: RequestDecodable {
        let user: UserID

        init(from input: RequestInput) throws { user = try input.path("userId") }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        let account = try await accounts.moderated(request.user)
        if account.flags.contains(.admin), account.userID != caller.userID {
            throw MatrixError.forbidden("This is an administrator")
        }
        return AccountRestriction.suspended.response(account.flags)
    }
}
