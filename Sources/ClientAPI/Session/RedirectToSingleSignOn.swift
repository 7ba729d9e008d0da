import Homeserver
import Matrix
import Web

/// [GET /login/sso/redirect](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3loginssoredirect): leads a browser to
/// where users sign in. `/login/cas/redirect` is what it was called before.
struct RedirectToSingleSignOn: Endpoint {
    static let routes: [Route] =
        .client(.get, "/login/sso/redirect") + .client(.get, "/login/cas/redirect")
        + .client(.get, "/login/sso/redirect/{idpId}")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .login

    let singleSignOn: SingleSignOn

    struct Request: RequestDecodable {
        let provider: String?
        let clientURL: String

        init(from input: RequestInput) throws {
            provider = input.request.pathParameters["idpId"]
            clientURL = try input.requiredQuery("redirectUrl", as: .string)
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> HTTPResponse {
        if let provider = request.provider, !provider.utf8.elementsEqual(singleSignOn.providerID.utf8) {
            throw MatrixError.notFound("There is no such identity provider")
        }
        return Page.redirect(to: try await singleSignOn.loginURL(for: .login(clientURL: request.clientURL)))
    }
}
