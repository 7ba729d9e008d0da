import Homeserver
import Matrix
import Web

/// [POST /keys/upload](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysupload): publishes a device's keys.
struct UploadKeys: Endpoint {
    static let routes: [Route] = .client(.post, "/keys/upload")
    static let authentication: Authentication<Caller> = .allowingGuests
    static let rateLimit: RateLimitClass = .standard

    let keys: KeyService

    var body: BodyPolicy { .buffered(limitBytes: 4 << 20) }

    struct Request: RequestDecodable {
        let upload: KeyUpload

        init(from input: RequestInput) throws {
            let body = try input.bodyOrEmpty
            upload = try KeyUpload(
                deviceKeys: try body.optional("device_keys", as: .any),
                oneTimeKeys: try body.optional("one_time_keys", as: .any),
                fallbackKeys: try body.optional("fallback_keys", as: .any)
            )
        }
    }

    struct Response: ResponseEncodable {
        let counts: [KeyAlgorithm: Int]

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            encoder.json.rawKey("one_time_key_counts")
            encoder.json.beginObject()
            for (algorithm, count) in counts.sorted(by: { $0.key < $1.key }) {
                encoder.json.member(algorithm.string, Int64(count))
            }
            encoder.json.endObject()
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> Response {
        let counts = try await keys.upload(
            request.upload, user: caller.user, userID: caller.userID, device: try caller.requireDevice()
        )
        return Response(counts: counts)
    }
}
