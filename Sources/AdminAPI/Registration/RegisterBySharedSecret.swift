import Homeserver
import Matrix
import Web

/// POST /_synapse/admin/v1/register: makes an account for whoever knows the shared secret, as
/// [Synapse](https://element-hq.github.io/synapse/latest/admin_api/register_api.html) has it.
struct RegisterBySharedSecret: Endpoint {
    static let routes: [Route] = [.post("/_synapse/admin/v1/register")]
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .registration

    let registration: SharedSecretRegistration

    struct Request: RequestDecodable {
        let registration: SharedSecretRegistration.Request

        init(from input: RequestInput) throws {
            let body = try input.body
            registration = SharedSecretRegistration.Request(
                nonce: try body.required("nonce", as: .string), username: try body.required("username", as: .string),
                password: try body.required("password", as: .string),
                displayName: try body.optional("displayname", as: .string),
                isAdmin: try body.optional("admin", as: .bool, default: false),
                userType: try body.optional("user_type", as: .string),
                inhibitsLogin: try body.optional("inhibit_login", as: .bool, default: false),
                mac: try body.required("mac", as: .string),
                address: input.request.remoteAddress
            )
        }
    }

    struct Response: ResponseEncodable {
        let registered: Registration

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            encoder.json.member("user_id", registered.userID)
            encoder.json.member("home_server", registered.userID.server)
            encoder.json.member("access_token", registered.session?.accessToken)
            encoder.json.member("device_id", registered.session?.device)
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> Response {
        Response(registered: try await registration.register(request.registration))
    }
}
