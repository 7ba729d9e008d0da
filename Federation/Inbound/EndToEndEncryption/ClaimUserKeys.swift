import Homeserver
import Matrix
import Web

/// [POST /user/keys/claim](https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysclaim): takes one-time keys of
/// devices of users of this server.
struct ClaimUserKeys: Endpoint {
    static let routes: [Route] = [.post("/_matrix/federation/v1/user/keys/claim")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let keys: KeyService
    let serverName: ServerName

    struct Request: RequestDecodable {
        let wanted: [UserID: [DeviceID: KeyAlgorithm]]

        init(from input: RequestInput) throws {
            var wanted: [UserID: [DeviceID: KeyAlgorithm]] = [:]
            for (name, devices) in try input.body.required("one_time_keys", as: .map(of: .map(of: .string))) {
                guard let user = UserID(name) else { continue }
                for (device, algorithm) in devices {
                    guard let device = DeviceID(device), let algorithm = KeyAlgorithm(algorithm) else { continue }
                    wanted[user, default: [:]][device] = algorithm
                }
            }
            self.wanted = wanted
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> HTTPResponse {
        let found = try await keys.claimLocal(request.wanted.filter { $0.key.isLocal(to: serverName) })
        var writer = JSONWriter(capacity: 1024)
        writer.beginObject()
        writer.key("one_time_keys")
        writer.beginObject()
        for (user, devices) in found.sorted(by: { $0.key < $1.key }) {
            writer.key(user.string)
            writer.beginObject()
            for (device, key) in devices.sorted(by: { $0.key < $1.key }) {
                writer.key(device.string)
                writer.beginObject()
                writer.key(key.id.string)
                writer.writeRaw(key.json)
                writer.endObject()
            }
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
        return .json(200, writer.bytes)
    }
}
