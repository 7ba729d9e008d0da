import Homeserver
import Matrix
import Web

/// `/_matrix/client/unstable/chappe/unsubscribe`: the link in mails about what has not been read, which
/// [pushers](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3pushersset) of kind `email` send.
///
/// Mail programs POST to it at once ([RFC 8058](https://www.rfc-editor.org/rfc/rfc8058)). Opening the page is not enough: programs that look into
/// mail for malware open what they find.
struct Unsubscribe: Endpoint {
    static let routes = [Route.get(Unsubscription.path), Route.post(Unsubscription.path)]
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .login

    let unsubscription: Unsubscription

    struct Request: RequestDecodable {
        let user: String
        let appID: String
        let pushKey: String
        let token: String
        let isConfirmed: Bool

        init(from input: RequestInput) throws {
            user = try input.requiredQuery("user", as: .string)
            appID = try input.requiredQuery("app_id", as: .string)
            pushKey = try input.requiredQuery("pushkey", as: .string)
            token = try input.requiredQuery("token", as: .string)
            isConfirmed = input.request.method == .post
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> HTTPResponse {
        guard request.isConfirmed else {
            return Page.response(
                title: "No more mail?",
                body: """
                    <p>\(Page.escaped(request.pushKey)) would get no more mail about unread messages of
                    \(Page.escaped(request.user)).</p>
                    <form method="post"><button>No more mail</button></form>
                    """
            )
        }
        do {
            try await unsubscription.unsubscribe(
                user: request.user, appID: request.appID, pushKey: request.pushKey, token: request.token)
            return Page.response(title: "Done", body: "<p>You get no more mail about unread messages.</p>")
        } catch let error as MatrixError {
            return Page.response(
                error.status, title: "That did not work", body: "<p>\(Page.escaped(error.message)).</p>")
        }
    }
}
