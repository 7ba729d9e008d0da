import Database
import Matrix

/// The version of a key backup: counts up for each user.
public struct KeyBackupVersion: Number, SQLBindable {
    /// The number.
    public let rawValue: Int64
    /// The version of that number.
    public init(rawValue: Int64) { self.rawValue = rawValue }
}

/// A key backup, apart from what is in it.
///
/// [Server-side key backups](https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups).
public struct KeyBackupRecord: Sendable {
    /// Its version.
    public let version: KeyBackupVersion
    /// How its sessions are encrypted.
    public let algorithm: String
    /// What the algorithm needs, as the client uploaded it: the text of a JSON value.
    public let authData: [UInt8]
    /// How often its sessions have changed.
    public let etag: Int64
    /// How many sessions it has.
    public let count: Int64
}

/// Look-ups of key backups.
public struct KeyBackupReader {
    let sql: ReadTransaction

    /// A user's backup of that version, or `nil` if there is none, or none any more.
    public func backup(_ version: KeyBackupVersion, of user: UserNumber) throws -> KeyBackupRecord? {
        try sql.first(
            """
            SELECT version, algorithm, auth_data, etag, session_count FROM key_backups
            WHERE user_num = $1 AND version = $2 AND deleted = 0
            """, user, version, map: decode
        )
    }

    /// A user's newest backup, the only one that takes new sessions.
    public func latest(of user: UserNumber) throws -> KeyBackupRecord? {
        try sql.first(
            """
            SELECT version, algorithm, auth_data, etag, session_count FROM key_backups
            WHERE user_num = $1 AND deleted = 0 ORDER BY version DESC LIMIT 1
            """, user, map: decode
        )
    }

    private func decode(_ row: Row) throws -> KeyBackupRecord {
        KeyBackupRecord(
            version: try row.number(0), algorithm: try row.text(1), authData: try row.blob(2), etag: try row.int(3),
            count: try row.int(4)
        )
    }
}

/// Stores key backups.
public struct KeyBackupWriter {
    let writer: StoreWriter

    /// Adds an empty backup, of the version after the newest there ever was.
    public func insert(algorithm: String, authData: [UInt8], of user: UserNumber) throws -> KeyBackupVersion {
        // The row of the user keeps two requests from counting at the same time.
        _ = try writer.sql.first("SELECT num FROM users WHERE num = $1 FOR UPDATE", user) { try $0.int(0) }
        let last = try writer.sql.first("SELECT COALESCE(MAX(version), 0) FROM key_backups WHERE user_num = $1", user) {
            try $0.int(0)
        }
        let version = KeyBackupVersion((last ?? 0) + 1)
        try writer.sql.execute(
            "INSERT INTO key_backups (user_num, version, algorithm, auth_data) VALUES ($1, $2, $3, $4)", user, version,
            algorithm, authData
        )
        return version
    }

    /// Finds a backup in order to change it: until the transaction ends nobody else changes it.
    public func lock(_ version: KeyBackupVersion, of user: UserNumber) throws -> KeyBackupRecord? {
        _ = try writer.sql.first(
            "SELECT version FROM key_backups WHERE user_num = $1 AND version = $2 FOR UPDATE", user, version
        ) { try $0.int(0) }
        return try writer.read.keyBackups.backup(version, of: user)
    }

    /// Replaces what the algorithm needs.
    public func setAuthData(_ authData: [UInt8], of version: KeyBackupVersion, of user: UserNumber) throws {
        try writer.sql.execute(
            "UPDATE key_backups SET auth_data = $1 WHERE user_num = $2 AND version = $3", authData, user, version
        )
    }

    /// Notes that a backup's sessions changed.
    ///
    /// - Parameter countChange: How many more sessions there are.
    public func touch(_ version: KeyBackupVersion, of user: UserNumber, countChange: Int) throws {
        try writer.sql.execute(
            """
            UPDATE key_backups SET etag = etag + 1, session_count = session_count + $1
            WHERE user_num = $2 AND version = $3
            """, countChange, user, version
        )
    }

    /// Deletes a backup and its sessions. Its version is not given out again.
    ///
    /// - Returns: Whether there was such a backup.
    public func delete(_ version: KeyBackupVersion, of user: UserNumber) throws -> Bool {
        let deleted = try writer.sql.executeCounting(
            """
            UPDATE key_backups SET deleted = 1, auth_data = $3, session_count = 0
            WHERE user_num = $1 AND version = $2 AND deleted = 0
            """, user, version, [UInt8]()
        )
        guard deleted > 0 else { return false }
        try writer.sql.execute("DELETE FROM key_backup_sessions WHERE user_num = $1 AND version = $2", user, version)
        return true
    }
}

extension StoreReader {
    /// Key backups.
    public var keyBackups: KeyBackupReader { KeyBackupReader(sql: sql) }
}

extension StoreWriter {
    /// Key backups.
    public var keyBackups: KeyBackupWriter { KeyBackupWriter(writer: self) }
}
