import Homeserver
import Matrix
import Web

/// [GET /auth/{authType}/fallback/web](https://spec.matrix.org/v1.19/client-server-api/#fallback): a stage of user-interactive
/// authentication in a browser. Only signing in elsewhere needs one.
struct AuthenticationFallback: Endpoint {
    static let routes: [Route] = .client(.get, "/auth/m.login.sso/fallback/web")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .login

    let singleSignOn: SingleSignOn

    struct Request: RequestDecodable {
        let session: String

        init(from input: RequestInput) throws { session = try input.requiredQuery("session", as: .string) }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> HTTPResponse {
        do {
            let url = try await singleSignOn.loginURL(for: .operation(session: request.session))
            return Page.response(
                title: "Confirm with \(singleSignOn.providerName)",
                body: """
                    <p>A client asks for something that needs your confirmation, such as removing a device from your account.
                    If you have not asked it to, your account may be in the wrong hands: close this page.</p>
                    <p><a href="\(Page.escaped(url))">Sign in to confirm</a></p>
                    """
            )
        } catch let error as MatrixError {
            return Page.response(
                error.status, title: "Nothing to confirm", body: "<p>\(Page.escaped(error.message)).</p>")
        }
    }

    /// [The page](https://spec.matrix.org/v1.19/client-server-api/#fallback) that tells the client that a stage is complete.
    static let done = Page.response(
        title: "Thank you",
        body: """
            <p>You can close this window and go back to the client.</p>
            <script>
            if (window.onAuthDone) { window.onAuthDone(); }
            else if (window.opener && window.opener.postMessage) { window.opener.postMessage("authDone", "*"); }
            </script>
            """,
        allowsScript: true
    )
}
