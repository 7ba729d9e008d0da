import Homeserver
import Matrix
import Web

/// `GET /login/cas/ticket`: a browser comes back from where its user has signed in.
/// [Handling the callback](https://spec.matrix.org/v1.19/client-server-api/#handling-the-callback-from-the-authentication-server).
struct ReturnFromSingleSignOn: Endpoint {
    static let routes: [Route] = .client(.get, "/login/cas/ticket")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .login

    let singleSignOn: SingleSignOn

    struct Request: RequestDecodable {
        let ticket: String
        let purpose: SingleSignOn.Purpose

        init(from input: RequestInput) throws {
            ticket = try input.requiredQuery("ticket", as: .string)
            if let session = try input.query("session", as: .string) {
                purpose = .operation(session: session)
            } else {
                purpose = .login(clientURL: try input.requiredQuery("redirectUrl", as: .string))
            }
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> HTTPResponse {
        do {
            switch try await singleSignOn.complete(ticket: request.ticket, for: request.purpose) {
            case .login(let user, let clientURL): return Self.confirmation(user, clientURL)
            case .authorized: return AuthenticationFallback.done
            case .otherUser(let user):
                return Page.response(
                    title: "Another account",
                    body: """
                        <p>You have signed in as <code>\(Page.escaped(user.string))</code>, but it is another account's operation
                        that was to be confirmed. Nothing has been done. Go back to the client and begin again.</p>
                        """
                )
            }
        } catch let error as MatrixError {
            return Page.response(
                error.status, title: "Signing in failed", body: "<p>\(Page.escaped(error.message)).</p>")
        }
    }

    /// A token is given to a client only when its user knows which client that is.
    private static func confirmation(_ user: UserID, _ clientURL: String) -> HTTPResponse {
        // Without the query, in which the token is.
        let client = clientURL.prefix { $0 != "?" && $0 != "#" }
        return Page.response(
            title: "Continue to your client",
            body: """
                <p>A client at <code>\(Page.escaped(String(client)))</code> will have access to your account
                <code>\(Page.escaped(user.string))</code>. Go on only if you know this client and have just asked it to sign
                you in.</p>
                <p><a href="\(Page.escaped(clientURL))">Continue</a></p>
                """
        )
    }
}
