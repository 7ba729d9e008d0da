import Synchronization

/// SQL on SQLite or PostgreSQL, each through its C library, one SQL text for both.
///
/// Layout: `Database` hands jobs to worker threads through `JobQueue`; `WriterLoop` commits them in groups; `EngineConnection`
/// is what an engine implements (`SQLite/`, `Postgres/`); `SQLDialect` turns one text into each engine's; `Migrations/` holds
/// the migration runner.
///
/// One writer thread commits what waits in groups (one durable commit serves many jobs), several reader threads serve
/// consistent snapshots. Bodies given to ``read(_:)`` and ``write(_:)`` run synchronously on those threads: they must not
/// block on anything but the database.
public final class Database: Sendable {
    /// Where the database lives.
    public let location: DatabaseLocation
    let options: DatabaseOptions
    private let writes: JobQueue<WriteJob>
    private let reads: JobQueue<ReadJob>
    private let threads: ThreadGroup
    private let listeners = Mutex<[PostgresListener]>([])

    /// Which engine runs the SQL.
    public var engine: DatabaseEngine { location.engine }

    /// How many writes wait for the writer thread, for metrics.
    public var waitingWrites: Int { writes.waiting }
    /// How many reads wait for a reader thread, for metrics.
    public var waitingReads: Int { reads.waiting }

    private init(
        location: DatabaseLocation, options: DatabaseOptions, writes: JobQueue<WriteJob>, reads: JobQueue<ReadJob>,
        threads: ThreadGroup
    ) {
        self.location = location
        self.options = options
        self.writes = writes
        self.reads = reads
        self.threads = threads
    }

    deinit { shutDown() }

    /// Opens the database, creating the SQLite file (mode 0600) when it is missing, and starts its threads.
    ///
    /// - Throws: ``DatabaseError`` when the database cannot be reached, is corrupt, or refuses a setting we rely on.
    public static func open(
        _ location: DatabaseLocation, options: DatabaseOptions = DatabaseOptions()
    ) throws -> Database {
        let options = options.clamped()
        let engines = EngineFactory(location: location, options: options)
        let writes = JobQueue<WriteJob>(capacity: options.maxQueuedWrites)
        let reads = JobQueue<ReadJob>(capacity: options.maxQueuedReads)
        let threads = ThreadGroup()
        let database = Database(location: location, options: options, writes: writes, reads: reads, threads: threads)

        let writer = WriterLoop(queue: writes, writer: try engines.makeWriter(), maxBatchJobs: options.maxBatchJobs)
        try threads.start(name: "db-writer") { writer.run() }
        for number in 0..<options.readers {
            let reader = ReaderLoop(queue: reads, connection: try engines.makeReader())
            try threads.start(name: "db-reader-\(number)") { reader.run() }
        }
        return database
    }

    /// Opens the database without threads of its own: nothing happens until whoever opened it takes a step. For simulations, which
    /// decide themselves what happens when.
    ///
    /// - Returns: The database, and what takes the steps: always on the same thread.
    package static func openWithoutThreads(
        _ location: DatabaseLocation, options: DatabaseOptions = DatabaseOptions()
    ) throws -> (database: Database, steps: DatabaseSteps) {
        let options = options.clamped()
        let engines = EngineFactory(location: location, options: options)
        let writes = JobQueue<WriteJob>(capacity: options.maxQueuedWrites)
        let reads = JobQueue<ReadJob>(capacity: options.maxQueuedReads)
        let database = Database(
            location: location, options: options, writes: writes, reads: reads, threads: ThreadGroup())
        let steps = DatabaseSteps(
            writes: writes,
            writer: WriterLoop(queue: writes, writer: try engines.makeWriter(), maxBatchJobs: options.maxBatchJobs),
            reader: ReaderLoop(queue: reads, connection: try engines.makeReader()))
        return (database, steps)
    }

    /// Runs a body on a reader thread, against one consistent snapshot that holds every write acknowledged before this call.
    ///
    /// - Parameter body: reads only; runs once.
    /// - Throws: what the body throws; ``DatabaseError/unavailable(reason:)`` when closing, overloaded or disconnected.
    public nonisolated(nonsending) func read<T: Sendable>(
        _ body: @escaping @Sendable (ReadTransaction) throws -> T
    ) async throws -> T {
        try await withUnsafeThrowingContinuation { continuation in
            let job = TypedReadJob(body: body, continuation: continuation)
            if let refusal = reads.enqueue(job) { job.fail(refusal) }
        }
    }

    /// Runs a body on the writer thread and returns once its effects are on disk.
    ///
    /// Bodies that wait together share one transaction and one commit; one that throws undoes only its own effects. After a
    /// failing statement the job is doomed, even if the body catches the error: every engine behaves like PostgreSQL here.
    ///
    /// - Parameter body: may run more than once (on PostgreSQL a batch whose pipelined statements failed runs again, job by
    ///   job), so effects outside the database belong in ``WriteTransaction/onCommit(_:)``.
    /// - Throws: what the body throws; ``DatabaseError/outcomeUnknown(reason:)`` when the commit was sent and no answer came.
    public nonisolated(nonsending) func write<T: Sendable>(
        _ body: @escaping @Sendable (WriteTransaction) throws -> T
    ) async throws -> T {
        try await withUnsafeThrowingContinuation { continuation in
            let job = TypedWriteJob(body: body, continuation: continuation)
            if let refusal = writes.enqueue(job) { job.fail(refusal) }
        }
    }

    /// Runs a body alone on the writer thread, outside any transaction: migrations and maintenance.
    nonisolated(nonsending) func exclusively<T: Sendable>(
        _ body: @escaping @Sendable (any EngineConnection) throws -> T
    ) async throws -> T {
        try await withUnsafeThrowingContinuation { continuation in
            let job = ExclusiveJob(body: body, continuation: continuation)
            if let refusal = writes.enqueue(job) { job.fail(refusal) }
        }
    }

    /// Refuses new work, finishes what waits, and returns when every thread and connection has ended. Safe to call twice.
    public func close() async {
        shutDown()
        await threads.join()
    }

    private func shutDown() {
        writes.close()
        reads.close()
        let listeners = listeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
        for listener in listeners { listener.stop() }
    }

    /// Listens for what ``WriteTransaction/notify(channel:payload:)`` sends, from this node and others, until closed.
    ///
    /// Uses a connection of its own, which is opened again when lost. Does nothing on SQLite.
    ///
    /// - Parameters:
    ///   - channels: the names of the channels, at most 63 bytes each.
    ///   - handler: called on a thread of its own, one event at a time; it must be short.
    /// - Throws: ``DatabaseError/unavailable(reason:)`` when the system has no thread or descriptor left.
    public func listen(to channels: [String], _ handler: @escaping @Sendable (ListenEvent) -> Void) throws {
        guard case .postgres(let connectionString) = location else { return }
        let listener = try PostgresListener(
            connectionString: connectionString, options: options, channels: channels, handler: handler)
        listeners.withLock { $0.append(listener) }
        try threads.start(name: "db-listener") { listener.run() }
    }
}
