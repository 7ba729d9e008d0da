import CSQLite

/// Turns SQLite's result codes into ``DatabaseError``.
enum SQLiteErrors {
    static func error(handle: OpaquePointer?, status: Int32) -> DatabaseError {
        // The handle's own code is the extended one of the last call.
        let extended = handle.map { sqlite3_extended_errcode($0) } ?? status
        let code = extended & 0xFF == status & 0xFF ? extended : status
        let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(status))
        return error(code: code, message: message)
    }

    static func error(code: Int32, message: String) -> DatabaseError {
        switch code & 0xFF {
        case SQLITE_FULL, SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_LOCKED, SQLITE_READONLY, SQLITE_PERM, SQLITE_NOMEM,
            SQLITE_PROTOCOL, SQLITE_INTERRUPT:
            return .unavailable(reason: "\(message) (\(code))")
        case SQLITE_BUSY:
            // BUSY_SNAPSHOT: what the transaction read has changed since; the rest is waiting that took too long.
            let isConflict = code == SQLITE_BUSY | (2 << 8)
            return isConflict ? .serialization(detail: message) : .unavailable(reason: "\(message) (\(code))")
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return .corrupt(detail: "\(message) (\(code))")
        case SQLITE_CONSTRAINT:
            return .constraint(constraintKind(code), detail: message)
        default:
            return .sql(code: String(code), message: message)
        }
    }

    /// The kind, in SQLite's second byte (the C names are macros that Swift does not see).
    private static func constraintKind(_ code: Int32) -> DatabaseError.ConstraintKind {
        switch code >> 8 {
        case 1: .check
        case 3: .foreignKey
        case 5: .notNull
        case 6, 8, 10: .unique  // primary key, unique, rowid
        default: .other
        }
    }

    /// Whether a failed COMMIT may yet be found on disk: the log was written, only its synchronization failed.
    static func leavesCommitUnknown(_ error: any Error) -> Bool {
        guard case DatabaseError.unavailable(let reason) = error else { return false }
        let fsync = SQLITE_IOERR | (4 << 8)
        return reason.hasSuffix("(\(fsync))")
    }
}
