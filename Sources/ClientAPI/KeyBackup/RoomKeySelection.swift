import Homeserver
import Matrix
import Web

/// Which room keys of which backup: what reading and deleting them have in common.
struct RoomKeySelection: Sendable {
    let version: String
    let scope: KeyBackupService.Scope

    /// All room keys of the backup that the query names.
    static func all(_ input: RequestInput) throws -> RoomKeySelection { try RoomKeySelection(input, .all) }

    /// Those of the room in the path.
    static func room(_ input: RequestInput) throws -> RoomKeySelection {
        try RoomKeySelection(input, .room(try input.path("roomId")))
    }

    /// The one in the path.
    static func session(_ input: RequestInput) throws -> RoomKeySelection {
        let room: String = try input.path("roomId")
        return try RoomKeySelection(input, .session(room: room, try input.path("sessionId")))
    }

    private init(_ input: RequestInput, _ scope: KeyBackupService.Scope) throws {
        version = try input.requiredQuery("version", as: .string)
        self.scope = scope
    }
}

/// The text of room keys.
struct RoomKeysResponse: ResponseEncodable {
    let text: [UInt8]

    func encode(into encoder: inout ResponseEncoder) { encoder.json.writeRaw(text) }
}

extension KeyBackupSummary: ResponseEncodable {
    /// Writes `{"count": …, "etag": …}`.
    public func encode(into encoder: inout ResponseEncoder) {
        encoder.json.beginObject()
        encoder.json.member("count", count)
        encoder.json.member("etag", etag)
        encoder.json.endObject()
    }
}

/// Room keys of many sessions come in one request.
let roomKeysBody = BodyPolicy.buffered(limitBytes: 16 << 20)
