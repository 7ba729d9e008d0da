/// What an engine offers on one connection. Used by one thread at a time.
protocol EngineConnection: AnyObject {
    var engine: DatabaseEngine { get }

    /// The first failure of a statement since ``beginJob()``; from then on the job is doomed.
    var failure: DatabaseError? { get }
    /// Forgets the failure of the last job.
    func beginJob()

    /// Runs a statement and visits its rows until there are no more or the visitor answers false.
    func query(_ sql: SQL, _ parameters: [any SQLBindable], _ visit: (Row) throws -> Bool) throws
    /// Runs a statement whose result does not matter; it may be sent without waiting for the answer.
    func execute(_ sql: SQL, _ parameters: [any SQLBindable]) throws
    /// Runs a statement and answers how many rows it changed.
    func executeCounting(_ sql: SQL, _ parameters: [any SQLBindable]) throws -> Int

    /// Starts a read transaction; the snapshot is taken no earlier than this call.
    func beginRead() throws
    /// Ends the read transaction, if any.
    func endRead()
    func close()
}

/// Commits groups of jobs on an engine's writing connection.
protocol GroupWriter: AnyObject {
    /// Runs the jobs in order and commits; each job has succeeded or failed when this returns.
    func commit(_ jobs: [WriteJob])
    /// Runs a job alone outside any transaction.
    func runExclusively(_ job: WriteJob)
    /// The queue has run empty: time for housekeeping.
    func idle()
    func close()
}

/// Makes an engine's connections.
struct EngineFactory {
    let location: DatabaseLocation
    let options: DatabaseOptions

    func makeWriter() throws -> any GroupWriter {
        switch location {
        case .sqlite(let path):
            let connection = try SQLiteConnection(path: path, role: .writer, options: options)
            return SQLiteWriter(connection, options: options)
        case .postgres(let connectionString):
            let connection = PostgresConnection(connectionString: connectionString, options: options)
            try connection.connect()
            return PostgresWriter(connection)
        }
    }

    func makeReader() throws -> any EngineConnection {
        switch location {
        case .sqlite(let path): return try SQLiteConnection(path: path, role: .reader, options: options)
        case .postgres(let connectionString):
            // Connects when it is first needed.
            return PostgresConnection(connectionString: connectionString, options: options)
        }
    }
}
