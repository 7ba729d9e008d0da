import Homeserver
import Matrix
import Web

/// [PUT /room_keys/keys/{roomId}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keyskeysroomid):
/// stores the room keys of one room.
struct PutRoomKeysOfRoom: Endpoint {
    static let routes: [Route] = .client(.put, "/room_keys/keys/{roomId}", versions: keyBackupVersions)
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .standard

    let backups: KeyBackupService

    var body: BodyPolicy { roomKeysBody }

    struct Request: RequestDecodable {
        let version: String
        let sessions: [KeyBackupService.Session]

        init(from input: RequestInput) throws {
            version = try input.requiredQuery("version", as: .string)
            sessions = try BackedUpSessions.sessions(try input.body.json, room: try input.path("roomId"))
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> KeyBackupSummary {
        try await backups.store(request.sessions, version: request.version, user: caller.user)
    }
}
