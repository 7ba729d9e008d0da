import Homeserver
import Matrix
import Web

/// [GET /openid/userinfo](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1openiduserinfo): whose a token is.
///
/// Not signed: whoever has been given the token may ask.
struct GetOpenIDUser: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/openid/userinfo")]
    static let authentication: Authentication<Anonymous> = .none

    let openID: OpenIDService

    struct Request: RequestDecodable {
        let token: String

        init(from input: RequestInput) throws {
            guard let token = try input.query("access_token", as: .string), !token.isEmpty else {
                throw MatrixError.missingToken
            }
            self.token = token
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        ["sub": .string(try await openID.user(of: request.token).string)]
    }
}
