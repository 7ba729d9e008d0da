import CSQLite
import Glibc

/// One SQLite connection with its prepared statements. Used by one thread at a time.
final class SQLiteConnection: EngineConnection {
    enum Role {
        case writer
        case reader
        /// Reads a file that nobody changes, and leaves no trace beside it.
        case archive
    }

    let engine = DatabaseEngine.sqlite
    private(set) var failure: DatabaseError?
    /// Runs before the first statement of a job that may change something.
    var beforeFirstWrite: (() throws -> Void)?

    let handle: OpaquePointer
    private let statements: SQLiteStatementCache
    private var isClosed = false
    private var isReading = false

    init(path: String, role: Role, options: DatabaseOptions) throws {
        handle = try Self.openHandle(path: path, role: role)
        statements = SQLiteStatementCache(handle: handle, capacity: options.statementCacheCapacity)
        do {
            try configure(role: role, options: options)
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        statements.removeAll()
        sqlite3_close_v2(handle)
    }

    // MARK: Statements

    func beginJob() { failure = nil }

    func query(_ sql: SQL, _ parameters: [any SQLBindable], _ visit: (Row) throws -> Bool) throws {
        let statement = try prepared(sql, parameters)
        defer { statements.giveBack(statement) }
        let row = Row(cursor: statement)
        while try remembering({ try statement.step() }) {
            guard try visit(row) else { return }
        }
    }

    func execute(_ sql: SQL, _ parameters: [any SQLBindable]) throws {
        let statement = try prepared(sql, parameters)
        defer { statements.giveBack(statement) }
        while try remembering({ try statement.step() }) {}
    }

    func executeCounting(_ sql: SQL, _ parameters: [any SQLBindable]) throws -> Int {
        try execute(sql, parameters)
        return Int(sqlite3_changes64(handle))
    }

    private func prepared(_ sql: SQL, _ parameters: [any SQLBindable]) throws -> SQLiteStatement {
        try remembering {
            let statement = try statements.take(sql)
            do {
                if let beforeFirstWrite, !statement.isReadOnly {
                    self.beforeFirstWrite = nil
                    try beforeFirstWrite()
                }
                try statement.bind(parameters)
            } catch {
                statements.giveBack(statement)
                throw error
            }
            return statement
        }
    }

    /// Notes a failure of the engine, which dooms the job.
    private func remembering<T>(_ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let error as DatabaseError {
            if failure == nil { failure = error }
            throw error
        }
    }

    // MARK: Transactions

    /// Whether no transaction is open. Some errors (a full disk) make SQLite end the transaction by itself.
    var isAutocommit: Bool { sqlite3_get_autocommit(handle) != 0 }

    func beginRead() throws {
        try run("BEGIN")
        isReading = true
    }

    func endRead() {
        guard isReading else { return }
        isReading = false
        // Ending a transaction that changed nothing can only fail if it is over already.
        do { try run("COMMIT") } catch { rollback() }
    }

    /// Undoes the open transaction, if any.
    func rollback() {
        guard !isAutocommit else { return }
        sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
    }

    /// Runs one of our own statements, cached, without touching ``failure``.
    func run(_ sql: SQL) throws {
        let statement = try statements.take(sql)
        defer { statements.giveBack(statement) }
        while try statement.step() {}
    }

    // MARK: Write-ahead log

    /// How hard to try when copying the log back into the file.
    enum Checkpoint {
        /// As far as readers allow now.
        case passive
        /// Wait for readers (up to the busy timeout), so that the log starts again from its beginning.
        case restart
        /// The same, and leave an empty log behind.
        case truncate
    }

    /// Copies the log back into the file.
    ///
    /// - Returns: pages in the log; nil when it could not run now, which the next attempt makes good.
    func checkpoint(_ kind: Checkpoint) -> Int? {
        var logged: Int32 = 0
        var copied: Int32 = 0
        let mode =
            switch kind {
            case .passive: SQLITE_CHECKPOINT_PASSIVE
            case .restart: SQLITE_CHECKPOINT_RESTART
            case .truncate: SQLITE_CHECKPOINT_TRUNCATE
            }
        let status = sqlite3_wal_checkpoint_v2(handle, nil, mode, &logged, &copied)
        return status == SQLITE_OK ? Int(logged) : nil
    }

    /// Reports the size of the log, in pages, after each commit of this connection.
    func onLogGrowth(_ counter: UnsafeMutablePointer<Int>) {
        sqlite3_wal_hook(
            handle,
            { counter, _, _, pages in
                counter?.assumingMemoryBound(to: Int.self).pointee = Int(pages)
                return SQLITE_OK
            }, counter)
    }

    // MARK: Opening

    private static func openHandle(path: String, role: Role) throws -> OpaquePointer {
        if role == .writer {
            // SQLite would create the file readable by everyone; its log takes over the mode.
            let descriptor = Glibc.open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else {
                throw DatabaseError.unavailable(reason: "cannot open \(path): \(String(cString: strerror(errno)))")
            }
            Glibc.close(descriptor)
        }
        _ = isConfigured  // Where not, it is but slower.
        var handle: OpaquePointer?
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        flags |= role == .archive ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI : SQLITE_OPEN_READWRITE
        let name = role == .archive ? "file:\(escaped(path))?immutable=1" : path
        let status = sqlite3_open_v2(name, &handle, flags, nil)
        guard status == SQLITE_OK, let handle else {
            let error = SQLiteErrors.error(handle: handle, status: status)
            sqlite3_close_v2(handle)
            throw error
        }
        return handle
    }

    /// A path within a URI.
    private static func escaped(_ path: String) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-._~".utf8)
        return path.utf8.reduce(into: "") { text, byte in
            if plain.contains(byte) {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                text += "%" + (digits.utf8.count < 2 ? "0" : "") + digits
            }
        }
    }

    /// Whether the settings of the process are made, which is done once.
    private static let isConfigured = chappe_sqlite3_configure() == SQLITE_OK

    private func configure(role: Role, options: DatabaseOptions) throws {
        sqlite3_busy_timeout(handle, Int32(options.busyTimeoutMilliseconds))
        if role == .archive { return try run("PRAGMA query_only = ON") }
        try expect("PRAGMA journal_mode = WAL", "PRAGMA journal_mode", "wal")
        // FULL: a commit that is acknowledged is on disk.
        try expect("PRAGMA synchronous = FULL", "PRAGMA synchronous", "2")
        try expect("PRAGMA foreign_keys = ON", "PRAGMA foreign_keys", "1")
        // As on PostgreSQL.
        try run("PRAGMA case_sensitive_like = ON")
        try run(SQL("PRAGMA cache_size = -\(options.cacheKibibytes)"))
        try run(SQL("PRAGMA mmap_size = \(options.mmapBytes)"))
        switch role {
        case .writer:
            // The writer copies the log back when it has nothing better to do: see SQLiteWriter.
            try run("PRAGMA wal_autocheckpoint = 0")
            try run(SQL("PRAGMA journal_size_limit = \(options.checkpointUnderLoadPages * 4096)"))
            if let pages = options.maxPages { try run(SQL("PRAGMA max_page_count = \(pages)")) }
        case .reader, .archive:
            try run("PRAGMA query_only = ON")
        }
        statements.removeAll()
    }

    /// Changes a setting and reads it back: SQLite answers nothing when it refuses one.
    private func expect(_ change: SQL, _ question: SQL, _ value: String) throws {
        try run(change)
        let statement = try statements.take(question)
        defer { statements.giveBack(statement) }
        guard try statement.step(), statement.anyText(0) == value else {
            throw DatabaseError.unavailable(reason: "SQLite refuses the setting: \(change)")
        }
    }
}
