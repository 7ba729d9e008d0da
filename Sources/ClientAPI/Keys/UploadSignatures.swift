import Homeserver
import Matrix
import Web

/// [POST /keys/signatures/upload](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keyssignaturesupload):
/// publishes signatures on keys.
struct UploadSignatures: Endpoint {
    static let routes: [Route] = .client(.post, "/keys/signatures/upload", versions: ["v3", "r0", "unstable"])
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .standard

    let crossSigning: CrossSigningService

    var body: BodyPolicy { .buffered(limitBytes: 4 << 20) }

    struct Request: RequestDecodable {
        let keys: [SignedKeyUpload]

        init(from input: RequestInput) throws {
            var keys: [SignedKeyUpload] = []
            for (name, signed) in try input.body.json.members.map({ ($0.name, $0.value) }) {
                guard let user = UserID(name) else { throw MatrixError.badJSON("\(name) is no user") }
                guard signed.isObject else { throw MatrixError.badJSON("Each user must have an object of keys") }
                for (key, json) in signed.members { keys.append(SignedKeyUpload(user: user, key: key, json: json)) }
            }
            self.keys = keys
        }
    }

    struct Response: ResponseEncodable {
        let failures: [SignatureFailure]

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            encoder.json.rawKey("failures")
            encoder.json.beginObject()
            for (user, failed) in Dictionary(grouping: failures, by: \.user).sorted(by: { $0.key < $1.key }) {
                encoder.json.key(user.string)
                encoder.json.beginObject()
                for failure in failed {
                    encoder.json.key(failure.key)
                    encoder.json.writeRaw(failure.error.body)
                }
                encoder.json.endObject()
            }
            encoder.json.endObject()
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> Response {
        Response(failures: try await crossSigning.uploadSignatures(request.keys, by: caller.user, caller.userID))
    }
}
