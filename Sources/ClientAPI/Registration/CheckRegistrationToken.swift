import Homeserver
import Matrix
import Web

/// [GET /register/m.login.registration_token/validity](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity):
/// whether a registration token would do.
struct CheckRegistrationToken: Endpoint {
    static let routes: [Route] = .client(.get, "/register/m.login.registration_token/validity", versions: ["v1"])
    static let authentication: Authentication<Anonymous> = .none
    // As few tries as for passwords: a token can be guessed here, too.
    static let rateLimit: RateLimitClass = .login

    let registration: RegistrationService

    struct Request: RequestDecodable {
        let token: String

        init(from input: RequestInput) throws { token = try input.requiredQuery("token", as: .string) }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        ["valid": .bool(try await registration.isValid(registrationToken: request.token))]
    }
}
