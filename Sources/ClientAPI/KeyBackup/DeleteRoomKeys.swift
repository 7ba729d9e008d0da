import Homeserver
import Matrix
import Web

/// [DELETE /room_keys/keys](https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keyskeys):
/// deletes all room keys of a backup.
struct DeleteRoomKeys: Endpoint {
    static let routes: [Route] = .client(.delete, "/room_keys/keys", versions: keyBackupVersions)
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .standard

    let backups: KeyBackupService

    struct Request: RequestDecodable {
        let selection: RoomKeySelection

        init(from input: RequestInput) throws { selection = try .all(input) }
    }

    func handle(_ request: Request, caller: Caller) async throws -> KeyBackupSummary {
        let selection = request.selection
        return try await backups.delete(selection.scope, version: selection.version, user: caller.user)
    }
}
