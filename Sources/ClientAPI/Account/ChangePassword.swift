import Homeserver
import Matrix
import Store
import Web

/// [POST /account/password](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword): a new password, for
/// whoever knows the old one, or reads the mail of the account's address.
struct ChangePassword: Endpoint {
    static let routes: [Route] = .client(.post, "/account/password")
    static let authentication: Authentication<Caller?> = .optional
    static let rateLimit: RateLimitClass = .login

    let accounts: AccountService
    let interactive: InteractiveAuthentication
    let addresses: AddressService

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

    func handle(_ request: Request, caller: Caller?) async throws -> EmptyResponse {
        if let caller, caller.isGuest { throw MatrixError(403, .guestAccessForbidden, "Guests cannot do this") }
        guard caller != nil || addresses.sendsMail else { throw MatrixError.missingToken }
        guard accounts.passwordPolicy.allowsChanges else {
            throw MatrixError.forbidden("Passwords cannot be changed on this server")
        }
        // Refused before the user types the old one for nothing.
        if let password = request.newPassword { try accounts.passwordPolicy.check(password) }
        let authorization = try await interactive.authorize(operation(of: caller), auth: request.auth)
        guard let password = request.newPassword else {
            throw MatrixError.missingParameter("new_password is missing")
        }
        let user = try await user(caller, authorization)
        let ended: AccountService.EndedSessions =
            !request.logoutDevices ? .none : (caller?.deviceID).map { .allExcept($0) } ?? .all
        try await accounts.setPassword(
            of: user, to: try await accounts.hash(newPassword: password), endingSessions: ended
        ) { [interactive, addresses] writer in
            try interactive.finish(authorization, in: writer)
            if let proof = authorization.addressProof {
                try addresses.use(proof, toResetPasswordOf: user, in: writer)
            }
        }
        return EmptyResponse()
    }

    private func operation(of caller: Caller?) -> AuthenticatedOperation {
        if let caller { return .withPassword("POST account/password", of: caller) }
        return AuthenticatedOperation(
            name: "POST account/password by mail", user: nil, flows: [[.email]], addressPurpose: .password)
    }

    private func user(_ caller: Caller?, _ authorization: InteractiveAuthorization) async throws -> UserNumber {
        if let caller { return caller.user }
        guard let proof = authorization.addressProof else { throw MatrixError.missingToken }
        return try await addresses.user(resettingPasswordBy: proof)
    }
}
