import Homeserver
import Matrix
import Web

/// [POST /keys/claim](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysclaim): takes one-time keys.
struct ClaimKeys: Endpoint {
    static let routes: [Route] = .client(.post, "/keys/claim")
    static let authentication: Authentication<Caller> = .allowingGuests
    static let rateLimit: RateLimitClass = .standard

    let keys: KeyService

    struct Request: RequestDecodable {
        let wanted: [UserID: [DeviceID: KeyAlgorithm]]
        let timeoutMilliseconds: Int64

        init(from input: RequestInput) throws {
            let body = try input.body
            timeoutMilliseconds = RemoteTimeout.clamped(try body.optional("timeout", as: .int))
            var wanted: [UserID: [DeviceID: KeyAlgorithm]] = [:]
            for (name, devices) in try body.required("one_time_keys", as: .map(of: .map(of: .string))) {
                guard let user = UserID(name) else { continue }
                for (device, algorithm) in devices {
                    guard let device = DeviceID(device), let algorithm = KeyAlgorithm(algorithm) else { continue }
                    wanted[user, default: [:]][device] = algorithm
                }
            }
            self.wanted = wanted
        }
    }

    struct Response: ResponseEncodable {
        let answer: KeyClaimAnswer

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            encoder.json.rawKey("one_time_keys")
            encoder.json.beginObject()
            for (user, devices) in answer.keys.sorted(by: { $0.key < $1.key }) {
                encoder.json.key(user.string)
                encoder.json.beginObject()
                for (device, key) in devices.sorted(by: { $0.key < $1.key }) {
                    encoder.json.key(device.string)
                    encoder.json.beginObject()
                    encoder.json.key(key.id.string)
                    encoder.json.writeRaw(key.json)
                    encoder.json.endObject()
                }
                encoder.json.endObject()
            }
            encoder.json.endObject()
            encoder.json.writeFailures(answer.failures)
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> Response {
        Response(
            answer: try await keys.claim(request.wanted, timeoutMilliseconds: request.timeoutMilliseconds)
        )
    }
}
