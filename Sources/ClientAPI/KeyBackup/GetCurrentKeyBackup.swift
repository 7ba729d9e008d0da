import Homeserver
import Matrix
import Web

/// [GET /room_keys/version](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keysversion): what is known of the
/// current backup.
struct GetCurrentKeyBackup: Endpoint {
    static let routes: [Route] = .client(.get, "/room_keys/version", versions: keyBackupVersions)
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .standard

    let backups: KeyBackupService

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Caller) async throws -> KeyBackupResponse {
        KeyBackupResponse(backup: try await backups.backup(nil, user: caller.user))
    }
}
