import Homeserver
import Matrix
import Web

/// [GET /room_keys/keys/{roomId}/{sessionId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keyskeysroomidsessionid):
/// one room key.
struct GetRoomKey: Endpoint {
    static let routes: [Route] = .client(.get, "/room_keys/keys/{roomId}/{sessionId}", versions: keyBackupVersions)
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .standard

    let backups: KeyBackupService

    struct Request: RequestDecodable {
        let selection: RoomKeySelection

        init(from input: RequestInput) throws { selection = try .session(input) }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RoomKeysResponse {
        let selection = request.selection
        return RoomKeysResponse(
            text: try await backups.sessions(selection.scope, version: selection.version, user: caller.user)
        )
    }
}
