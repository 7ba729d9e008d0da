import Homeserver
import Matrix
import Web

/// [PUT /room_keys/version/{version}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keysversionversion):
/// replaces a backup's `auth_data`.
struct UpdateKeyBackup: Endpoint {
    static let routes: [Route] = .client(.put, "/room_keys/version/{version}", versions: keyBackupVersions)
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .standard

    let backups: KeyBackupService

    struct Request: RequestDecodable {
        let version: String
        let claimedVersion: String?
        let algorithm: String
        let authData: JSON

        init(from input: RequestInput) throws {
            let body = try input.body
            version = try input.path("version")
            claimedVersion = try body.optional("version", as: .string)
            algorithm = try body.required("algorithm", as: .string)
            authData = try body.required("auth_data", as: .any)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await backups.update(
            request.version, claimed: request.claimedVersion, algorithm: request.algorithm, authData: request.authData,
            user: caller.user
        )
        return EmptyResponse()
    }
}
