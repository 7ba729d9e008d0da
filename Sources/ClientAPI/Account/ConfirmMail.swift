import Homeserver
import Matrix
import Web

/// `/_matrix/client/unstable/chappe/confirm_mail`: the link in the mails that this server sends, for
/// [adding contact information](https://spec.matrix.org/v1.19/client-server-api/#adding-account-administrative-contact-information).
///
/// For a new password opening the page is not enough: programs that look into mail for malware open what they find.
struct ConfirmMail: Endpoint {
    static let routes = [
        Route.get("/_matrix/client/unstable/chappe/confirm_mail"),
        Route.post("/_matrix/client/unstable/chappe/confirm_mail"),
    ]
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .login

    let addresses: AddressService

    struct Request: RequestDecodable {
        let sid: String
        let clientSecret: String
        let token: String
        let isConfirmed: Bool

        init(from input: RequestInput) throws {
            sid = try input.requiredQuery("sid", as: .string)
            clientSecret = try input.requiredQuery("client_secret", as: .string)
            token = try input.requiredQuery("token", as: .string)
            isConfirmed = input.request.method == .post
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> HTTPResponse {
        do {
            let (purpose, nextLink) = try await addresses.proof(
                request.sid, clientSecret: request.clientSecret, token: request.token)
            if purpose == .password, !request.isConfirmed {
                return Page.response(
                    title: "Set a new password?",
                    body: """
                        <p>Somebody wants to set a new password for the account with this mail address. Go on only if that was
                        you.</p>
                        <form method="post"><button>It was me</button></form>
                        """
                )
            }
            try await addresses.confirm(request.sid, clientSecret: request.clientSecret, token: request.token)
            let onward =
                nextLink.map { "<p>Go on to <a href=\"\(Page.escaped($0))\">\(Page.escaped($0))</a></p>" } ?? ""
            return Page.response(
                title: "Thank you",
                body: "<p>Your address is confirmed. You can close this page and go back to the client.</p>\(onward)"
            )
        } catch let error as MatrixError {
            return Page.response(
                error.status, title: "That did not work", body: "<p>\(Page.escaped(error.message)).</p>")
        }
    }
}
