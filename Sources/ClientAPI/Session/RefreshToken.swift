import Homeserver
import Matrix
import Web

/// [POST /refresh](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh): new tokens for an old one.
struct RefreshToken: Endpoint {
    static let routes: [Route] = .client(.post, "/refresh", versions: ["v3", "v1"])
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .standard

    let sessions: SessionService

    struct Request: RequestDecodable {
        let refreshToken: String

        init(from input: RequestInput) throws {
            refreshToken = try input.body.required("refresh_token", as: .string)
        }
    }

    struct Response: ResponseEncodable {
        let session: NewSession

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            encoder.json.member("access_token", session.accessToken)
            encoder.json.member("refresh_token", session.refreshToken)
            encoder.json.member("expires_in_ms", session.expiresInMilliseconds)
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> Response {
        Response(session: try await sessions.refresh(request.refreshToken))
    }
}
