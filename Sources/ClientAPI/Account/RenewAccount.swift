import Homeserver
import Matrix
import Web

/// `POST /_synapse/client/email_account_validity/send_mail`: sends the mail that renews an account, to a user whose account ends or has ended.
///
/// As [Synapse's module](https://github.com/matrix-org/synapse-email-account-validity) has it. The specification knows accounts that wait for
/// their user only as [locked](https://spec.matrix.org/v1.19/client-server-api/#account-locking) ones.
struct RequestRenewalMail: Endpoint {
    // Tchap's clients ask as they did when it was a part of Synapse.
    static let routes =
        [Route.post("/_synapse/client/email_account_validity/send_mail")]
        + .client(.post, "/account_validity/send_mail", versions: ["unstable"])
    static let authentication = Authentication<Caller>.evenIfExpired

    let validity: AccountValidity

    func handle(_ request: NoInput, caller: Caller) async throws -> EmptyResponse {
        try await validity.sendMail(to: caller.user, caller.userID)
        return EmptyResponse()
    }
}

/// `GET /_synapse/client/email_account_validity/renew`: the link in the mails that renew accounts, or what a client asks that was given the
/// number in one.
///
/// Query: `token`. Answer: a page.
struct RenewAccount: Endpoint {
    static let routes =
        [Route.get("/_synapse/client/email_account_validity/renew")]
        + .client(.get, "/account_validity/renew", versions: ["unstable"])
    static let authentication = Authentication<Caller?>.optionalEvenIfExpired
    // Numbers are short.
    static let rateLimit: RateLimitClass = .login

    let validity: AccountValidity

    struct Request: RequestDecodable {
        let token: String

        init(from input: RequestInput) throws { token = try input.requiredQuery("token", as: .string) }
    }

    func handle(_ request: Request, caller: Caller?) async throws -> HTTPResponse {
        switch try await validity.renew(request.token, by: caller?.user) {
        case .renewed(let end):
            Page.response(
                title: "Your account is renewed",
                body: "<p>It is valid until \(ValidityLetter.day(end)). You can close this page.</p>")
        case .renewedBefore(let end):
            Page.response(
                title: "Your account was renewed before",
                body: "<p>It is valid until \(ValidityLetter.day(end)). You can close this page.</p>")
        case .unknown:
            Page.response(
                400, title: "That did not work",
                body: "<p>This renews no account, or not any more: of several mails the newest counts.</p>")
        }
    }
}

extension Router {
    /// Serves the renewal of accounts.
    ///
    /// - Parameters:
    ///   - validity: Ends and renews accounts.
    ///   - environment: What endpoints have in common.
    public func addValidityRoutes(validity: AccountValidity, in environment: EndpointEnvironment) {
        add(RequestRenewalMail(validity: validity), in: environment)
        add(RenewAccount(validity: validity), in: environment)
    }
}
