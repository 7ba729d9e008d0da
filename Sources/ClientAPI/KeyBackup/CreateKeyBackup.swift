import Homeserver
import Matrix
import Web

/// [POST /room_keys/version](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3room_keysversion): begins a backup.
struct CreateKeyBackup: Endpoint {
    static let routes: [Route] = .client(.post, "/room_keys/version", versions: keyBackupVersions)
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .standard

    let backups: KeyBackupService

    struct Request: RequestDecodable {
        let algorithm: String
        let authData: JSON

        init(from input: RequestInput) throws {
            let body = try input.body
            algorithm = try body.required("algorithm", as: .string)
            authData = try body.required("auth_data", as: .any)
        }
    }

    struct Response: ResponseEncodable {
        let version: String

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            encoder.json.member("version", version)
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> Response {
        Response(
            version: try await backups.create(
                algorithm: request.algorithm, authData: request.authData, user: caller.user
            )
        )
    }
}

/// Clients of the time before the backups were specified ask under `unstable`.
let keyBackupVersions = ["v3", "r0", "unstable"]
