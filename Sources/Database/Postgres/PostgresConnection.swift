/// A PostgreSQL connection that is opened again after it was lost. Used by one thread at a time.
final class PostgresConnection: EngineConnection {
    /// Statements that may be under way before their answers are read, which bounds the answers held in memory.
    private static let maxPending = 1_000

    let engine = DatabaseEngine.postgres
    private(set) var failure: DatabaseError?
    /// Whether the current job has sent a statement that may change something.
    private(set) var hasWritten = false

    private let connectionString: String
    private let options: DatabaseOptions
    private var session: PostgresSession?

    init(connectionString: String, options: DatabaseOptions) {
        self.connectionString = connectionString
        self.options = options
    }

    func close() { session = nil }

    /// Makes sure that there is a connection, as far as can be told without asking the server.
    func connect() throws {
        if let session, session.isAlive() { return }
        session = nil
        let handle = try PostgresConnecting.open(connectionString: connectionString, options: options)
        session = try PostgresSession(handle: handle, statementCacheCapacity: options.statementCacheCapacity)
    }

    /// Whether the connection was lost since ``connect()``.
    var isLost: Bool { session?.isLost ?? true }

    // MARK: Statements

    func beginJob() {
        failure = nil
        hasWritten = false
    }

    func query(_ sql: SQL, _ parameters: [any SQLBindable], _ visit: (Row) throws -> Bool) throws {
        try send(sql, parameters, .wanted)
        guard let result = try settle() else { return }
        let row = Row(cursor: result)
        while result.next() {
            guard try visit(row) else { return }
        }
    }

    func execute(_ sql: SQL, _ parameters: [any SQLBindable]) throws {
        // Also a SELECT, which is then run for what its functions do.
        hasWritten = true
        try send(sql, parameters, .discarded)
        if let session, session.pendingCount > Self.maxPending { try settle() }
    }

    func executeCounting(_ sql: SQL, _ parameters: [any SQLBindable]) throws -> Int {
        hasWritten = true
        try send(sql, parameters, .wanted)
        return try settle()?.changedRows ?? 0
    }

    private func send(_ sql: SQL, _ parameters: [any SQLBindable], _ purpose: PostgresSession.Expected) throws {
        do {
            guard let session else { throw DatabaseError.unavailable(reason: "there is no connection to PostgreSQL") }
            let isReadOnly = try session.send(sql, parameters, purpose)
            if !isReadOnly { hasWritten = true }
        } catch let error as DatabaseError {
            if failure == nil { failure = error }
            throw error
        }
    }

    /// Waits for the answers to everything sent; throws the first error among them.
    @discardableResult
    func settle() throws -> PostgresResult? {
        guard let session else { throw DatabaseError.unavailable(reason: "there is no connection to PostgreSQL") }
        let answers = session.sync()
        if let error = answers.error {
            if failure == nil { failure = error }
            throw error
        }
        return answers.wanted
    }

    // MARK: Transactions

    func beginRead() throws {
        try connect()
        try session?.boundStatements()
        // Sent along with the first query, whose snapshot it is.
        try session?.send("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", [], .discarded)
    }

    func endRead() {
        guard let session else { return }
        do {
            // The answer is read along with the next query's.
            try session.send("COMMIT", [], .discarded)
            try session.sendSync()
        } catch {
            self.session = nil
        }
    }

    func beginWrite() throws {
        try connect()
        try session?.boundStatements()
        try session?.send("BEGIN", [], .discarded)
    }

    /// Sends one of our own statements along with what follows.
    func sendOwn(_ sql: SQL) throws {
        try session?.send(sql, [], .discarded)
    }

    /// How a commit can end.
    enum CommitOutcome {
        case committed
        /// Nothing is written.
        case failed(DatabaseError)
        /// The commit was sent and no answer came.
        case unknown(DatabaseError)
    }

    func commit() -> CommitOutcome {
        guard let session else { return .failed(.unavailable(reason: "there is no connection to PostgreSQL")) }
        let wasLost = session.isLost
        do {
            try session.send("COMMIT", [], .commit)
        } catch {
            let error = error as? DatabaseError ?? .unavailable(reason: "the commit cannot be sent")
            return session.isLost && !wasLost ? .unknown(error) : .failed(error)
        }
        let answers = session.sync()
        if answers.hasCommitted { return .committed }
        let error = answers.error ?? .serialization(detail: "PostgreSQL has rolled the transaction back")
        return session.isLost && !answers.failedBeforeCommit ? .unknown(error) : .failed(error)
    }

    func rollback() {
        guard let session else { return }
        do {
            try session.send("ROLLBACK", [], .discarded)
            if session.sync().error != nil { self.session = nil }
        } catch {
            self.session = nil
        }
    }
}
