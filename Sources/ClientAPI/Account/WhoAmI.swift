import Matrix
import Web

/// [GET /account/whoami](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami): who a token belongs to.
struct WhoAmI: Endpoint {
    static let routes: [Route] = .client(.get, "/account/whoami")
    static let authentication: Authentication<Caller> = .allowingGuests

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    struct Response: ResponseEncodable {
        let caller: Caller

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            encoder.json.member("user_id", caller.userID)
            encoder.json.member("device_id", caller.deviceID)
            encoder.json.member("is_guest", caller.isGuest)
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> Response { Response(caller: caller) }
}
