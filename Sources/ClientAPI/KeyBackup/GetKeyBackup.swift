import Homeserver
import Matrix
import Web

/// [GET /room_keys/version/{version}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keysversionversion):
/// what is known of a backup.
struct GetKeyBackup: Endpoint {
    static let routes: [Route] = .client(.get, "/room_keys/version/{version}", versions: keyBackupVersions)
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .standard

    let backups: KeyBackupService

    struct Request: RequestDecodable {
        let version: String

        init(from input: RequestInput) throws { version = try input.path("version") }
    }

    func handle(_ request: Request, caller: Caller) async throws -> KeyBackupResponse {
        KeyBackupResponse(backup: try await backups.backup(request.version, user: caller.user))
    }
}

/// A backup, apart from what is in it.
struct KeyBackupResponse: ResponseEncodable {
    let backup: KeyBackupService.Backup

    func encode(into encoder: inout ResponseEncoder) {
        encoder.json.beginObject()
        encoder.json.member("algorithm", backup.algorithm)
        encoder.json.rawMember("auth_data", backup.authData)
        encoder.json.member("count", backup.count)
        encoder.json.member("etag", String(backup.etag))
        encoder.json.member("version", backup.version.description)
        encoder.json.endObject()
    }
}
