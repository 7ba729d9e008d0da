import Homeserver
import Matrix
import Web

/// [POST /account/password](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword): a new password.
struct ChangePassword: Endpoint {
    static let routes: [Route] = .client(.post, "/account/password")
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .login

    let accounts: AccountService
    let interactive: InteractiveAuthentication

    struct Request: RequestDecodable {
        let newPassword: String?
        let logoutDevices: Bool
        let auth: JSON?

        init(from input: RequestInput) throws {
            let body = try input.bodyOrEmpty
            newPassword = try body.optional("new_password", as: .string)
            logoutDevices = try body.optional("logout_devices", as: .bool, default: true)
            auth = try body.optional("auth", as: .rawObject)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        guard accounts.passwordPolicy.allowsChanges else {
            throw MatrixError.forbidden("Passwords cannot be changed on this server")
        }
        // Refused before the user types the old one for nothing.
        if let password = request.newPassword { try accounts.passwordPolicy.check(password) }
        let authorization = try await interactive.authorize(
            .withPassword("POST account/password", of: caller), auth: request.auth
        )
        guard let password = request.newPassword else {
            throw MatrixError.missingParameter("new_password is missing")
        }
        let ended: AccountService.EndedSessions =
            !request.logoutDevices ? .none : caller.deviceID.map { .allExcept($0) } ?? .all
        try await accounts.setPassword(
            of: caller.user, to: try await accounts.hash(newPassword: password), endingSessions: ended
        ) { [interactive] writer in try interactive.finish(authorization, in: writer) }
        return EmptyResponse()
    }
}
