import Homeserver
import Matrix
import Web

/// [GET /user/devices/{userId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1userdevicesuserid): all devices of
/// a user of this server.
struct GetUserDevices: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/user/devices/{userId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let keys: KeyService

    struct Request: RequestDecodable {
        let user: UserID

        init(from input: RequestInput) throws { user = try input.path("userId") }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> HTTPResponse {
        let listing = try await keys.deviceListing(of: request.user)
        var writer = JSONWriter(capacity: listing.devices.reduce(512) { $0 + $1.keys.count + 128 })
        writer.beginObject()
        writer.member("user_id", request.user)
        writer.member("stream_id", listing.streamID)
        writer.key("devices")
        writer.beginArray()
        for (device, displayName, keys) in listing.devices {
            writer.beginObject()
            writer.member("device_id", device)
            writer.member("device_display_name", displayName)
            writer.rawMember("keys", keys)
            writer.endObject()
        }
        writer.endArray()
        if let key = listing.masterKey { writer.rawMember("master_key", key) }
        if let key = listing.selfSigningKey { writer.rawMember("self_signing_key", key) }
        writer.endObject()
        return .json(200, writer.bytes)
    }
}
