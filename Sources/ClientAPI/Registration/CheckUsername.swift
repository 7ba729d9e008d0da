import Homeserver
import Matrix
import Web

/// [GET /register/available](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable): whether a name is
/// free.
struct CheckUsername: Endpoint {
    static let routes: [Route] = .client(.get, "/register/available")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .login

    let registration: RegistrationService

    struct Request: RequestDecodable {
        let username: String

        init(from input: RequestInput) throws { username = try input.requiredQuery("username", as: .string) }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        try await registration.checkAvailable(request.username)
        return ["available": true]
    }
}
