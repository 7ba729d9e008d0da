/// Brings the schema of a database to the program's version: forward only, one transaction for each migration.
///
/// Several processes may migrate at once: one does the work, the others wait and find it done.
public struct Migrator: Sendable {
    private let migrations: [Migration]

    /// A migrator.
    ///
    /// - Parameter migrations: every migration there ever was, in order.
    /// - Throws: ``MigrationError/misnumbered(expected:found:)`` unless the numbers are 1, 2, 3, …
    public init(_ migrations: [Migration]) throws(MigrationError) {
        for (index, migration) in migrations.enumerated() where migration.number != index + 1 {
            throw .misnumbered(expected: index + 1, found: migration.number)
        }
        self.migrations = migrations
    }

    /// Applies what is missing.
    ///
    /// - Returns: the numbers of the migrations applied now.
    /// - Throws: ``MigrationError``, or ``DatabaseError`` when the database cannot be used.
    @discardableResult
    public func run(on database: Database) async throws -> [Int] {
        let migrations = migrations
        return try await database.exclusively { connection in
            let session = MigrationSession(connection: connection)
            defer { session.end() }
            try session.prepare()
            var applied: [Int] = []
            for migration in migrations where try session.apply(migration, of: migrations) {
                applied.append(migration.number)
            }
            if migrations.isEmpty { try session.check(migrations) }
            return applied
        }
    }
}

/// The statements of migrating on one connection.
private struct MigrationSession {
    let connection: any EngineConnection

    /// Any number that nothing else locks.
    private static let lock: Int64 = 0x6368_6170_7065_0001

    func prepare() throws {
        if connection.engine == .postgres {
            // Held by the session, over all transactions. Large tables take longer than any request may.
            try run("SET statement_timeout = 0")
            try run("SELECT pg_advisory_lock($1)", Self.lock)
        }
        try inTransaction {
            for statement in PortableDDL.statements(of: Self.table, engine: connection.engine) {
                try run(SQL(statement))
            }
        }
    }

    func end() {
        guard connection.engine == .postgres else { return }
        connection.beginJob()
        // When this fails, the lock goes with the connection, which is not used again.
        try? run("SELECT pg_advisory_unlock($1)", Self.lock)
    }

    private static let table = """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            number INTEGER NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            checksum INTEGER NOT NULL
        );
        """

    /// Checks what is applied and applies one migration if it is not; answers whether it did.
    func apply(_ migration: Migration, of migrations: [Migration]) throws -> Bool {
        try inTransaction {
            // Within the transaction, since another process may have migrated in between.
            guard try check(migrations) < migration.number else { return false }
            do {
                for statement in PortableDDL.statements(of: migration.sql, engine: connection.engine) {
                    try run(SQL(statement))
                }
                try run(
                    "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)",
                    migration.number, migration.name, migration.checksum)
            } catch let error as DatabaseError {
                throw MigrationError.failed(number: migration.number, name: migration.name, reason: error)
            }
            return true
        }
    }

    /// Compares what is applied with the program's list; answers the database's version.
    @discardableResult
    func check(_ migrations: [Migration]) throws -> Int {
        var version = 0
        try connection.query("SELECT number, checksum FROM schema_migrations ORDER BY number", []) { row in
            let number = Int(try row.int(0))
            guard number == version + 1 else { throw MigrationError.missing(number: version + 1) }
            version = number
            if number <= migrations.count, migrations[number - 1].checksum != (try row.int(1)) {
                throw MigrationError.changed(number: number, name: migrations[number - 1].name)
            }
            return true
        }
        guard version <= migrations.count else {
            throw MigrationError.databaseIsNewer(database: version, program: migrations.count)
        }
        return version
    }

    private func inTransaction<T>(_ body: () throws -> T) throws -> T {
        connection.beginJob()
        try run(connection.engine == .sqlite ? "BEGIN EXCLUSIVE" : "BEGIN")
        do {
            let value = try body()
            try run("COMMIT")
            return value
        } catch {
            connection.beginJob()
            // SQLite may have ended the transaction by itself, and a lost connection has ended it too.
            try? run("ROLLBACK")
            throw error
        }
    }

    /// Runs a statement and waits for its answer.
    private func run(_ sql: SQL, _ parameters: any SQLBindable...) throws {
        try connection.query(sql, parameters) { _ in true }
    }
}
