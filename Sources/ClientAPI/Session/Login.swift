import Homeserver
import Matrix
import Web

/// [POST /login](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login): starts a session.
struct Login: Endpoint {
    static let routes: [Route] = .client(.post, "/login")
    static let authentication: Authentication<Caller?> = .appService
    static let rateLimit: RateLimitClass = .login

    let accounts: AccountService
    let sessions: SessionService
    let appServices: AppServiceAccounts?

    struct Request: RequestDecodable {
        enum Proof: Sendable {
            case password(name: String, password: String)
            case passwordOf(address: String, password: String)
            case token(String)
            case appService(user: String)
        }

        let proof: Proof
        let device: DeviceRequest
        let hasToken: Bool

        init(from input: RequestInput) throws {
            let body = try input.body
            device = try DeviceRequest(from: body, of: input.request)
            hasToken = input.hasAccessToken
            switch try body.required("type", as: .string) {
            case "m.login.password":
                proof = try Self.proof(body, password: try body.required("password", as: .string))
            case "m.login.token": proof = .token(try body.required("token", as: .string))
            case AppServiceLogin.type:
                let name = try body.optional("identifier", as: .object)?.optional("user", as: .string)
                proof = .appService(user: try name ?? body.required("user", as: .string))
            case let type: throw MatrixError(400, .unknown, "There is no way to log in called \(type)")
            }
        }

        private static func proof(_ body: JSONFields, password: String) throws -> Proof {
            // Clients of long ago name the user beside the type.
            guard let identifier = try body.optional("identifier", as: .object) else {
                if let address = try body.optional("address", as: .string) {
                    return try proof(try body.required("medium", as: .string), address, password)
                }
                return .password(name: try body.required("user", as: .string), password: password)
            }
            switch try identifier.required("type", as: .string) {
            case "m.id.user": return .password(name: try identifier.required("user", as: .string), password: password)
            case "m.id.thirdparty":
                return try proof(
                    try identifier.required("medium", as: .string), try identifier.required("address", as: .string),
                    password)
            case "m.id.phone": throw unknownIdentifier
            case let type: throw MatrixError(400, .unknown, "There is no identifier of type \(type)")
            }
        }

        private static func proof(_ medium: String, _ address: String, _ password: String) throws -> Proof {
            guard medium.utf8.elementsEqual("email".utf8) else { throw unknownIdentifier }
            return .passwordOf(address: address, password: password)
        }

        // No account has any such identifier: as with any unknown name, it is not said that this is why.
        private static let unknownIdentifier = MatrixError.forbidden("Wrong user name or password")
    }

    func handle(_ request: Request, caller: Caller?) async throws -> SessionResponse {
        let session: NewSession
        switch request.proof {
        case .password(let name, let password):
            let account = try await accounts.account(named: name, password: password)
            session = try await sessions.start(for: account.userID, request.device)
        case .passwordOf(let address, let password):
            let account = try await accounts.account(address: address, password: password)
            session = try await sessions.start(for: account.userID, request.device)
        case .token(let token):
            session = try await sessions.start(loginToken: token, request.device)
        case .appService(let user):
            let (accounts, service) = try AppServiceLogin.service(caller, hasToken: request.hasToken, appServices)
            session = try await accounts.logIn(user, by: service, device: request.device)
        }
        return SessionResponse(userID: session.userID, session: session)
    }
}
