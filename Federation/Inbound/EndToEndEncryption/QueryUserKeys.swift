import Homeserver
import Matrix
import Web

/// [POST /user/keys/query](https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysquery): devices and keys of
/// users of this server.
struct QueryUserKeys: Endpoint {
    static let routes: [Route] = [.post("/_matrix/federation/v1/user/keys/query")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let keys: KeyService
    let serverName: ServerName

    struct Request: RequestDecodable {
        let users: [UserID: [DeviceID]]

        init(from input: RequestInput) throws {
            var users: [UserID: [DeviceID]] = [:]
            // Nothing is known of users and devices whose names cannot be.
            for (name, devices) in try input.body.required("device_keys", as: .map(of: .array(of: .string))) {
                guard let user = UserID(name) else { continue }
                let known = devices.compactMap { DeviceID($0) }
                if devices.isEmpty || !known.isEmpty { users[user] = known }
            }
            self.users = users
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> HTTPResponse {
        let own = request.users.filter { $0.key.isLocal(to: serverName) }
        let answer = try await keys.localKeys(own, seenBy: nil)
        var writer = JSONWriter(capacity: 4096)
        writer.beginObject()
        writer.key("device_keys")
        writer.beginObject()
        for (user, devices) in answer.deviceKeys.sorted(by: { $0.key < $1.key }) {
            writer.key(user.string)
            writer.beginObject()
            for (device, keys) in devices.sorted(by: { $0.key < $1.key }) {
                writer.key(device.string)
                writer.writeRaw(keys)
            }
            writer.endObject()
        }
        writer.endObject()
        Self.write("master_keys", answer.masterKeys, into: &writer)
        Self.write("self_signing_keys", answer.selfSigningKeys, into: &writer)
        writer.endObject()
        return .json(200, writer.bytes)
    }

    private static func write(_ name: String, _ keys: [UserID: [UInt8]], into writer: inout JSONWriter) {
        writer.key(name)
        writer.beginObject()
        for (user, text) in keys.sorted(by: { $0.key < $1.key }) {
            writer.key(user.string)
            writer.writeRaw(text)
        }
        writer.endObject()
    }
}
