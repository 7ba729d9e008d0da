import Homeserver
import Matrix
import Web

/// [DELETE /room_keys/version/{version}](https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keysversionversion):
/// deletes a backup.
struct DeleteKeyBackup: Endpoint {
    static let routes: [Route] = .client(.delete, "/room_keys/version/{version}", versions: keyBackupVersions)
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .standard

    let backups: KeyBackupService

    struct Request: RequestDecodable {
        let version: String

        init(from input: RequestInput) throws { version = try input.path("version") }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await backups.delete(request.version, user: caller.user)
        return EmptyResponse()
    }
}
