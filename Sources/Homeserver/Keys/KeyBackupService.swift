import Matrix
import Store

/// What a change of a backup's room keys answers.
public struct KeyBackupSummary: Sendable, Hashable {
    /// Changes whenever the room keys do.
    public let etag: String
    /// How many room keys there are.
    public let count: Int64
}

/// Backups of room keys, encrypted by clients.
///
/// [Server-side key backups](https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups).
public final class KeyBackupService: Sendable {
    /// A backup, apart from what is in it.
    public typealias Backup = KeyBackupRecord
    /// Which room keys of a backup.
    public typealias Scope = BackedUpSessionScope
    /// A room key.
    public typealias Session = BackedUpSessionRecord

    private let store: Store

    /// The largest `auth_data`, in bytes.
    static let maximumAuthDataBytes = 65_536

    /// - Parameter store: Where backups are.
    public init(store: Store) { self.store = store }

    // MARK: Versions

    /// Begins a new backup, which becomes the current one.
    ///
    /// - Returns: Its version.
    public func create(algorithm: String, authData: JSON, user: UserNumber) async throws -> String {
        try Self.check(authData)
        guard (1...255).contains(algorithm.utf8.count), !algorithm.utf8.contains(0) else {
            throw MatrixError.invalidParameter("The algorithm must have a name of 1 to 255 bytes")
        }
        let data = Array(authData.bytes)
        return try await store.write { writer in
            try writer.keyBackups.insert(algorithm: algorithm, authData: data, of: user).description
        }
    }

    /// A backup, or the current one.
    ///
    /// - Throws: 404 if there is none.
    public func backup(_ version: String?, user: UserNumber) async throws -> KeyBackupRecord {
        try await store.read { reader in
            guard let version else {
                if let backup = try reader.keyBackups.latest(of: user) { return backup }
                throw MatrixError.notFound("There is no backup")
            }
            return try Self.find(version, user, reader)
        }
    }

    /// Replaces what a backup's algorithm needs.
    ///
    /// - Parameter claimed: The version that the request's body names, which must be the same.
    /// - Throws: 400 `M_INVALID_PARAM` if the algorithm or the version is another, 404 if there is no such backup.
    public func update(
        _ version: String, claimed: String?, algorithm: String, authData: JSON, user: UserNumber
    ) async throws {
        try Self.check(authData)
        if let claimed, !claimed.utf8.elementsEqual(version.utf8) {
            throw MatrixError.invalidParameter("The version in the body is not the one in the path")
        }
        let data = Array(authData.bytes)
        try await store.write { writer in
            let backup = try Self.find(version, user, writer.read)
            guard backup.algorithm.utf8.elementsEqual(algorithm.utf8) else {
                throw MatrixError.invalidParameter("The algorithm of a backup cannot be changed")
            }
            try writer.keyBackups.setAuthData(data, of: backup.version, of: user)
        }
    }

    /// Deletes a backup with all its room keys. The one before it becomes the current one.
    ///
    /// - Throws: 404 if there is no such backup.
    public func delete(_ version: String, user: UserNumber) async throws {
        try await store.write { writer in
            let backup = try Self.find(version, user, writer.read)
            _ = try writer.keyBackups.delete(backup.version, of: user)
        }
    }

    // MARK: Room keys

    /// Stores room keys; where the backup has a better one it keeps that.
    ///
    /// - Throws: 403 `M_WRONG_ROOM_KEYS_VERSION` unless the version is the current one, 404 if there is no such backup.
    public func store(
        _ sessions: [BackedUpSessionRecord], version: String, user: UserNumber
    ) async throws -> KeyBackupSummary {
        try await store.write { writer in
            // Locked first: what is found after that stays so.
            let backup = try Self.findLocked(version, user, writer)
            if let current = try writer.read.keyBackups.latest(of: user), current.version != backup.version {
                throw MatrixError(
                    403, .wrongRoomKeysVersion, "This is not the current backup",
                    extra: ["current_version": .string(current.version.description)]
                )
            }
            var inserted = 0
            var isChanged = false
            for session in sessions {
                switch try writer.keyBackupSessions.store(session, in: backup.version, of: user) {
                case .inserted:
                    inserted += 1
                    isChanged = true
                case .replaced: isChanged = true
                case .kept: break
                }
            }
            if isChanged { try writer.keyBackups.touch(backup.version, of: user, countChange: inserted) }
            return try Self.summary(backup.version, user, writer.read)
        }
    }

    /// Deletes room keys.
    ///
    /// - Throws: 404 if there is no such backup.
    public func delete(
        _ scope: BackedUpSessionScope, version: String, user: UserNumber
    ) async throws -> KeyBackupSummary {
        try await store.write { writer in
            let backup = try Self.findLocked(version, user, writer)
            let deleted = try writer.keyBackupSessions.delete(scope, in: backup.version, of: user)
            if deleted > 0 { try writer.keyBackups.touch(backup.version, of: user, countChange: -deleted) }
            return try Self.summary(backup.version, user, writer.read)
        }
    }

    /// The room keys of a backup: the text of `{"rooms": {…}}`, of `{"sessions": {…}}` for one room, or of one room key.
    ///
    /// - Throws: 404 if there is no such backup, or no such single room key.
    public func sessions(_ scope: BackedUpSessionScope, version: String, user: UserNumber) async throws -> [UInt8] {
        try await store.read { reader in
            let backup = try Self.find(version, user, reader)
            switch scope {
            case .all: return try Self.rooms(backup.version, user, reader)
            case .room(let room):
                var text = JSONWriter(capacity: 1024)
                text.beginObject()
                text.rawKey("sessions")
                text.beginObject()
                try reader.keyBackupSessions.forEach(.room(room), in: backup.version, of: user) { session in
                    text.key(session.session)
                    text.writeRaw(session.json)
                }
                text.endObject()
                text.endObject()
                return text.bytes
            case .session:
                var found: [UInt8]?
                try reader.keyBackupSessions.forEach(scope, in: backup.version, of: user) { found = $0.json }
                guard let found else { throw MatrixError.notFound("There is no such room key in the backup") }
                return found
            }
        }
    }

    private static func rooms(_ version: KeyBackupVersion, _ user: UserNumber, _ reader: StoreReader) throws -> [UInt8]
    {
        var text = JSONWriter(capacity: 4096)
        text.beginObject()
        text.rawKey("rooms")
        text.beginObject()
        var room: ExactString?
        try reader.keyBackupSessions.forEach(.all, in: version, of: user) { session in
            if room != ExactString(session.room) {
                if room != nil {
                    text.endObject()
                    text.endObject()
                }
                room = ExactString(session.room)
                text.key(session.room)
                text.beginObject()
                text.rawKey("sessions")
                text.beginObject()
            }
            text.key(session.session)
            text.writeRaw(session.json)
        }
        if room != nil {
            text.endObject()
            text.endObject()
        }
        text.endObject()
        text.endObject()
        return text.bytes
    }

    // MARK: Looking up

    private static func find(_ version: String, _ user: UserNumber, _ reader: StoreReader) throws -> KeyBackupRecord {
        guard let number = number(version), let backup = try reader.keyBackups.backup(number, of: user) else {
            throw MatrixError.notFound("There is no such backup")
        }
        return backup
    }

    private static func findLocked(_ version: String, _ user: UserNumber, _ writer: StoreWriter) throws
        -> KeyBackupRecord
    {
        guard let number = number(version), let backup = try writer.keyBackups.lock(number, of: user) else {
            throw MatrixError.notFound("There is no such backup")
        }
        return backup
    }

    /// Versions are numbers written in one way only.
    private static func number(_ version: String) -> KeyBackupVersion? {
        guard let number = Int64(version), String(number).utf8.elementsEqual(version.utf8) else { return nil }
        return KeyBackupVersion(number)
    }

    private static func summary(
        _ version: KeyBackupVersion, _ user: UserNumber, _ reader: StoreReader
    ) throws -> KeyBackupSummary {
        guard let backup = try reader.keyBackups.backup(version, of: user) else {
            throw StoreError.inconsistent("a backup vanished while it was locked")
        }
        return KeyBackupSummary(etag: String(backup.etag), count: backup.count)
    }

    private static func check(_ authData: JSON) throws(MatrixError) {
        guard authData.bytes.count <= maximumAuthDataBytes else { throw .tooLarge("auth_data is too large") }
    }
}
