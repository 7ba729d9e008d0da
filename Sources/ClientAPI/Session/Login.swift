import Homeserver
import Matrix
import Web

/// [POST /login](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login): starts a session.
struct Login: Endpoint {
    static let routes: [Route] = .client(.post, "/login")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .login

    let accounts: AccountService
    let sessions: SessionService

    struct Request: RequestDecodable {
        enum Proof: Sendable {
            case password(name: String, password: String)
            case token(String)
        }

        let proof: Proof
        let device: DeviceRequest

        init(from input: RequestInput) throws {
            let body = try input.body
            device = try DeviceRequest(from: body)
            switch try body.required("type", as: .string) {
            case "m.login.password":
                proof = .password(name: try Self.name(body), password: try body.required("password", as: .string))
            case "m.login.token": proof = .token(try body.required("token", as: .string))
            case let type: throw MatrixError(400, .unknown, "There is no way to log in called \(type)")
            }
        }

        private static func name(_ body: JSONFields) throws -> String {
            // Clients of long ago name the user beside the type.
            guard let identifier = try body.optional("identifier", as: .object) else {
                return try body.required("user", as: .string)
            }
            switch try identifier.required("type", as: .string) {
            case "m.id.user": return try identifier.required("user", as: .string)
            case "m.id.thirdparty", "m.id.phone":
                // No account has any such identifier: as with any unknown name, it is not said that this is why.
                throw MatrixError.forbidden("Wrong user name or password")
            case let type: throw MatrixError(400, .unknown, "There is no identifier of type \(type)")
            }
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> SessionResponse {
        let session: NewSession
        switch request.proof {
        case .password(let name, let password):
            let account = try await accounts.account(named: name, password: password)
            session = try await sessions.start(for: account.userID, request.device)
        case .token(let token):
            session = try await sessions.start(loginToken: token, request.device)
        }
        return SessionResponse(userID: session.userID, session: session)
    }
}
