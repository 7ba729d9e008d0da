import Homeserver
import Matrix
import Store
import Web

/// [POST /user/{userId}/openid/request_token](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridopenidrequest_token):
/// a token by which the user proves to somebody else who they are.
struct RequestOpenIDToken: Endpoint {
    static let routes: [Route] = .client(.post, "/user/{userId}/openid/request_token")
    static let authentication: Authentication<Caller> = .allowingGuests

    let openID: OpenIDService

    struct Request: RequestDecodable {
        let user: UserID

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            _ = try input.bodyOrEmpty
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        guard request.user == caller.userID else { throw MatrixError.forbidden("This is not you") }
        let token = try await openID.issue(for: UserNumber(caller.userNumber))
        return [
            "access_token": .string(token.token), "token_type": "Bearer",
            "matrix_server_name": .string(openID.serverName.string), "expires_in": .integer(token.lifetimeSeconds),
        ]
    }
}

extension Router {
    /// Serves tokens by which users prove to others who they are.
    public func addOpenIDRoutes(openID: OpenIDService, in environment: EndpointEnvironment) {
        add(RequestOpenIDToken(openID: openID), in: environment)
    }
}
