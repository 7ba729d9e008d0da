import Matrix
import Web

/// `POST …/msisdn/requestToken` for
/// [registration](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registermsisdnrequesttoken),
/// [contact information](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidmsisdnrequesttoken) and
/// [passwords](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordmsisdnrequesttoken): this server writes
/// to no telephones.
struct RequestTextMessage: Endpoint {
    static let routes: [Route] =
        .client(.post, "/register/msisdn/requestToken") + .client(.post, "/account/3pid/msisdn/requestToken")
        + .client(.post, "/account/password/msisdn/requestToken")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .login

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> EmptyResponse {
        throw MatrixError(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED", "Telephone numbers cannot be confirmed here")
    }
}
