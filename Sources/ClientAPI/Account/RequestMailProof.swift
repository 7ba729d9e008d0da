import Homeserver
import Matrix
import Web

/// What clients ask who want a mail address to be shown; the fields for identity servers are not looked at.
struct MailProofRequest: RequestDecodable {
    let request: AddressService.Request

    init(from input: RequestInput) throws {
        let body = try input.body
        request = AddressService.Request(
            address: try body.required("email", as: .string),
            clientSecret: try body.required("client_secret", as: .string),
            sendAttempt: try body.required("send_attempt", as: .int),
            nextLink: try body.optional("next_link", as: .string)
        )
    }
}

/// [POST /register/email/requestToken](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken):
/// has an address shown for a new account.
struct RequestMailToRegister: Endpoint {
    static let routes: [Route] = .client(.post, "/register/email/requestToken")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .login

    let addresses: AddressService
    let registration: RegistrationService

    func handle(_ request: MailProofRequest, caller: Anonymous) async throws -> JSONValue {
        guard registration.policy.offersMail || !addresses.sendsMail else {
            throw MatrixError(403, "M_THREEPID_DENIED", "Nobody registers with a mail address here")
        }
        return ["sid": .string(try await addresses.requestProof(request.request, for: .register))]
    }
}

/// [POST /account/password/email/requestToken](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordemailrequesttoken):
/// has an address shown for a new password.
struct RequestMailForPassword: Endpoint {
    static let routes: [Route] = .client(.post, "/account/password/email/requestToken")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .login

    let addresses: AddressService

    func handle(_ request: MailProofRequest, caller: Anonymous) async throws -> JSONValue {
        ["sid": .string(try await addresses.requestProof(request.request, for: .password))]
    }
}

/// [POST /account/3pid/email/requestToken](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidemailrequesttoken):
/// has an address shown that is to be added to an account.
struct RequestMailToAdd: Endpoint {
    static let routes: [Route] = .client(.post, "/account/3pid/email/requestToken")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .login

    let addresses: AddressService

    func handle(_ request: MailProofRequest, caller: Anonymous) async throws -> JSONValue {
        ["sid": .string(try await addresses.requestProof(request.request, for: .add))]
    }
}
