import Database
import Matrix

/// A room key in a backup, encrypted by the client.
public struct BackedUpSessionRecord: Sendable {
    /// The room that the key is for, as the client calls it.
    public let room: String
    /// The session.
    public let session: String
    /// Whether the key came from a device that its user had verified.
    public let isVerified: Bool
    /// The first message that the key decrypts.
    public let firstMessageIndex: Int64
    /// How often the key was forwarded.
    public let forwardedCount: Int64
    /// The whole object as the client uploaded it, byte for byte.
    public let json: [UInt8]

    /// A room key.
    public init(
        room: String, session: String, isVerified: Bool, firstMessageIndex: Int64, forwardedCount: Int64, json: [UInt8]
    ) {
        self.room = room
        self.session = session
        self.isVerified = isVerified
        self.firstMessageIndex = firstMessageIndex
        self.forwardedCount = forwardedCount
        self.json = json
    }

    /// Whether a backup that has `other` takes this one in its place: a verified key is better than one that is not, then the
    /// one that decrypts earlier messages, then the one that came the shorter way.
    public func replaces(_ other: BackedUpSessionRecord) -> Bool {
        if isVerified != other.isVerified { return isVerified }
        if firstMessageIndex != other.firstMessageIndex { return firstMessageIndex < other.firstMessageIndex }
        return forwardedCount < other.forwardedCount
    }
}

/// Which room keys of a backup.
public enum BackedUpSessionScope: Sendable, Hashable {
    /// All of them.
    case all
    /// Those of a room.
    case room(String)
    /// One.
    case session(room: String, String)
}

/// Look-ups of room keys in backups.
public struct KeyBackupSessionReader {
    let sql: ReadTransaction

    /// Visits room keys of a backup, in the order of their rooms.
    public func forEach(
        _ scope: BackedUpSessionScope, in version: KeyBackupVersion, of user: UserNumber,
        _ body: (BackedUpSessionRecord) throws -> Void
    ) throws {
        let visit = { (row: Row) in try body(Self.decode(row)) }
        switch scope {
        case .all:
            try sql.forEach(
                """
                SELECT room_id, session_id, is_verified, first_message_index, forwarded_count, json
                FROM key_backup_sessions WHERE user_num = $1 AND version = $2 ORDER BY room_id, session_id
                """, user, version, body: visit
            )
        case .room(let room):
            try sql.forEach(
                """
                SELECT room_id, session_id, is_verified, first_message_index, forwarded_count, json
                FROM key_backup_sessions WHERE user_num = $1 AND version = $2 AND room_id = $3 ORDER BY session_id
                """, user, version, room, body: visit
            )
        case .session(let room, let session):
            try sql.forEach(
                """
                SELECT room_id, session_id, is_verified, first_message_index, forwarded_count, json
                FROM key_backup_sessions WHERE user_num = $1 AND version = $2 AND room_id = $3 AND session_id = $4
                """, user, version, room, session, body: visit
            )
        }
    }

    private static func decode(_ row: Row) throws -> BackedUpSessionRecord {
        BackedUpSessionRecord(
            room: try row.text(0), session: try row.text(1), isVerified: try row.bool(2),
            firstMessageIndex: try row.int(3), forwardedCount: try row.int(4), json: try row.blob(5)
        )
    }
}

/// Stores room keys in backups. The caller notes the change with ``KeyBackupWriter/touch(_:of:countChange:)``.
public struct KeyBackupSessionWriter {
    let writer: StoreWriter

    /// What became of a room key.
    public enum Outcome: Sendable, Hashable {
        /// There is one more.
        case inserted
        /// It took the place of a worse one.
        case replaced
        /// What was there is as good or better.
        case kept
    }

    /// Stores a room key unless the backup has one that is as good.
    public func store(
        _ session: BackedUpSessionRecord, in version: KeyBackupVersion, of user: UserNumber
    ) throws -> Outcome {
        var known: BackedUpSessionRecord?
        try writer.read.keyBackupSessions.forEach(
            .session(room: session.room, session.session), in: version, of: user
        ) { known = $0 }
        if let known, !session.replaces(known) { return .kept }
        try writer.sql.execute(
            """
            INSERT INTO key_backup_sessions
                (user_num, version, room_id, session_id, is_verified, first_message_index, forwarded_count, json)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (user_num, version, room_id, session_id) DO UPDATE SET is_verified = excluded.is_verified,
                first_message_index = excluded.first_message_index, forwarded_count = excluded.forwarded_count,
                json = excluded.json
            """, user, version, session.room, session.session, session.isVerified, session.firstMessageIndex,
            session.forwardedCount, session.json
        )
        return known == nil ? .inserted : .replaced
    }

    /// Deletes room keys, and returns how many.
    public func delete(
        _ scope: BackedUpSessionScope, in version: KeyBackupVersion, of user: UserNumber
    ) throws -> Int {
        switch scope {
        case .all:
            try writer.sql.executeCounting(
                "DELETE FROM key_backup_sessions WHERE user_num = $1 AND version = $2", user, version
            )
        case .room(let room):
            try writer.sql.executeCounting(
                "DELETE FROM key_backup_sessions WHERE user_num = $1 AND version = $2 AND room_id = $3", user, version,
                room
            )
        case .session(let room, let session):
            try writer.sql.executeCounting(
                """
                DELETE FROM key_backup_sessions
                WHERE user_num = $1 AND version = $2 AND room_id = $3 AND session_id = $4
                """, user, version, room, session
            )
        }
    }
}

extension StoreReader {
    /// Room keys in backups.
    public var keyBackupSessions: KeyBackupSessionReader { KeyBackupSessionReader(sql: sql) }
}

extension StoreWriter {
    /// Room keys in backups.
    public var keyBackupSessions: KeyBackupSessionWriter { KeyBackupSessionWriter(writer: self) }
}
