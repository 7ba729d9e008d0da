import CSQLite
import Glibc

extension Database {
    /// Pages copied between two groups of writes: some milliseconds.
    private static let pagesAtOnce: Int32 = 500

    /// Copies a SQLite database, as it is when this returns, into a file of its own while it is written to.
    ///
    /// The copy is made in steps on the writer's own connection, between its groups: what is written meanwhile goes into the copy
    /// too, and no reader keeps the write-ahead log from starting again, as it would during a copy in one go.
    ///
    /// - Parameter path: The file, mode 0600. What is there is replaced.
    /// - Throws: ``DatabaseError``; then there is no file.
    public nonisolated(nonsending) func snapshot(to path: String) async throws {
        Self.removeSnapshot(at: path)
        let copy = SQLiteSnapshot(path: path)
        do {
            try await exclusively { try copy.begin($0) }
            while try await exclusively({ _ in try copy.step(pages: Self.pagesAtOnce) }) {
                try Task.checkCancellation()
            }
            try await exclusively { _ in copy.abandon() }
            try SQLiteFile.settle(path)
        } catch {
            // On the writer's thread, like everything that touches its connection; it fails only once the database is closed.
            try? await exclusively { _ in copy.abandon() }
            Self.removeSnapshot(at: path)
            throw error
        }
    }

    /// Makes one file of a SQLite database that nobody has open, without a write-ahead log beside it, and puts it on disk.
    ///
    /// - Throws: ``DatabaseError``.
    public static func settle(_ path: String) throws { try SQLiteFile.settle(path) }

    /// Removes a copy, if there is one, or what was made of one.
    public static func removeSnapshot(at path: String) {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
    }
}

/// A copy that is being made. Only the writer's thread touches it.
private final class SQLiteSnapshot: @unchecked Sendable {
    private let path: String
    private var target: OpaquePointer?
    private var backup: OpaquePointer?

    init(path: String) { self.path = path }

    func begin(_ connection: any EngineConnection) throws {
        guard let source = connection as? SQLiteConnection else {
            throw DatabaseError.sql(code: "engine", message: "only SQLite has snapshots of its own")
        }
        target = try SQLiteFile.create(path)
        // It is flushed as a whole in the end; a copy that breaks off is thrown away.
        sqlite3_exec(target, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", nil, nil, nil)
        backup = sqlite3_backup_init(target, "main", source.handle, "main")
        guard backup != nil else { throw SQLiteErrors.error(handle: target, status: sqlite3_errcode(target)) }
    }

    /// - Returns: Whether there is more.
    func step(pages: Int32) throws -> Bool {
        switch sqlite3_backup_step(backup, pages) {
        case SQLITE_OK, SQLITE_BUSY, SQLITE_LOCKED: return true
        case SQLITE_DONE: return false
        case let status: throw SQLiteErrors.error(handle: target, status: status)
        }
    }

    func abandon() {
        sqlite3_backup_finish(backup)
        sqlite3_close_v2(target)
        (backup, target) = (nil, nil)
    }
}

/// SQLite files that nobody has open yet.
enum SQLiteFile {
    /// Makes and opens one.
    static func create(_ path: String) throws -> OpaquePointer {
        let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw DatabaseError.unavailable(reason: "cannot make \(path): \(String(cString: strerror(errno)))")
        }
        close(descriptor)
        return try openExisting(path)
    }

    private static func openExisting(_ path: String) throws -> OpaquePointer {
        var handle: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let status = sqlite3_open_v2(path, &handle, flags, nil)
        guard status == SQLITE_OK, let handle else {
            let error = SQLiteErrors.error(handle: handle, status: status)
            sqlite3_close_v2(handle)
            throw error
        }
        return handle
    }

    /// Makes one file of it, without a write-ahead log beside it, and puts it on disk.
    static func settle(_ path: String) throws {
        let handle = try openExisting(path)
        let status = sqlite3_exec(handle, "PRAGMA journal_mode = DELETE", nil, nil, nil)
        let error = status == SQLITE_OK ? nil : SQLiteErrors.error(handle: handle, status: status)
        sqlite3_close_v2(handle)
        if let error { throw error }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw DatabaseError.unavailable(reason: "cannot flush \(path): \(String(cString: strerror(errno)))")
        }
    }
}
