import Homeserver
import Matrix
import Web

/// The answer to whoever starts a session: by logging in, or by registering.
struct SessionResponse: ResponseEncodable {
    let userID: UserID
    let session: NewSession?

    func encode(into encoder: inout ResponseEncoder) {
        encoder.json.beginObject()
        encoder.json.member("user_id", userID)
        // Deprecated, and still read by some clients.
        encoder.json.member("home_server", userID.server)
        if let session {
            encoder.json.member("device_id", session.device)
            encoder.json.member("access_token", session.accessToken)
            encoder.json.member("refresh_token", session.refreshToken)
            encoder.json.member("expires_in_ms", session.expiresInMilliseconds)
        }
        encoder.json.endObject()
    }
}

extension DeviceRequest {
    /// What requests that start a session say of the device.
    init(from body: JSONFields, of request: HTTPRequest) throws {
        self.init(
            id: try body.optional("device_id", as: .identifier),
            initialDisplayName: try body.optional("initial_device_display_name", as: .string),
            wantsRefreshToken: try body.optional("refresh_token", as: .bool, default: false),
            address: request.remoteAddress
        )
    }
}
