/// Copies all that a database holds into another, on the same engine or the other.
///
/// What is read is one consistent snapshot, also while the source is written to. These functions run on the calling thread until they
/// are done: they are for commands, not for a server.
public enum DatabaseCopy {
    /// Rows fetched at once: a hundred kibibytes each at the most, mostly less than one.
    private static let rowsAtOnce = 500

    /// Copies a PostgreSQL database into a SQLite file.
    ///
    /// - Parameters:
    ///   - source: The database.
    ///   - path: The file, which must not exist.
    ///   - migrations: Every migration that this program knows; those that the source has make the file's schema.
    ///   - progress: Told of each table's name before it is copied.
    /// - Throws: ``DatabaseError``; ``MigrationError/databaseIsNewer(database:program:)``.
    public static func archive(
        _ source: DatabaseLocation, to path: String, migrations: [Migration], progress: (String) -> Void = { _ in }
    ) async throws {
        let reader = try EngineFactory(location: source, options: options).makeReader()
        defer { reader.close() }
        try reader.beginRead()
        defer { reader.endRead() }
        let version = try schemaVersion(reader)
        try await migrate(.sqlite(path: path), migrations, to: version)
        let writer = try SQLiteConnection(path: path, role: .writer, options: options)
        defer { writer.close() }
        try writer.run("PRAGMA foreign_keys = OFF")
        // A file that is not finished is thrown away: it needs no journal, which would be as large as itself.
        try writer.run("PRAGMA journal_mode = OFF")
        try writer.run("PRAGMA synchronous = OFF")
        try writer.run("BEGIN IMMEDIATE")
        try copy(reader, writer, progress)
        try writer.run("COMMIT")
        writer.close()
        try SQLiteFile.settle(path)
    }

    /// Copies a SQLite file that nobody writes to into a PostgreSQL database, whose tables, if it has any of ours, are replaced.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - target: The database.
    ///   - migrations: Every migration that this program knows.
    ///   - progress: Told of each table's name before it is copied.
    /// - Throws: ``DatabaseError``; ``MigrationError``. Until all is copied the database holds nothing of it.
    public static func load(
        _ path: String, into target: DatabaseLocation, migrations: [Migration],
        progress: (String) -> Void = { _ in }
    ) async throws {
        let reader = try SQLiteConnection(path: path, role: .archive, options: options)
        defer { reader.close() }
        let version = try schemaVersion(reader)
        let writer = try connection(target)
        defer { writer.close() }
        for table in tables(of: migrations) { try writer.runNow(SQL("DROP TABLE IF EXISTS \"\(table)\" CASCADE")) }
        try await migrate(target, migrations, to: version)
        try writer.runNow("BEGIN")
        // Tables are filled in no order that references would have; they are checked when they are made again.
        let references = try writer.values(
            """
            SELECT CAST(conname AS TEXT), CAST(CAST(conrelid AS REGCLASS) AS TEXT), pg_get_constraintdef(oid) FROM pg_constraint
            WHERE contype = 'f' AND connamespace = CAST(CURRENT_SCHEMA() AS REGNAMESPACE)
            """
        ) { (name: try $0.text(0), table: try $0.text(1), definition: try $0.text(2)) }
        for reference in references {
            try writer.runNow(SQL("ALTER TABLE \(reference.table) DROP CONSTRAINT \"\(reference.name)\""))
        }
        try copy(reader, writer, progress)
        for reference in references {
            try writer.runNow(
                SQL(
                    "ALTER TABLE \(reference.table) ADD CONSTRAINT \"\(reference.name)\" \(reference.definition)"))
        }
        try writer.runNow("COMMIT")
        try writer.runNow("ANALYZE")
    }

    /// The number of the newest migration that a database has; 0 for one without tables of ours.
    ///
    /// - Throws: ``DatabaseError``.
    public static func schemaVersion(of location: DatabaseLocation) throws -> Int {
        let reader = try connection(location)
        defer { reader.close() }
        guard try TableLayout.names(reader).contains(TableLayout.migrations) else { return 0 }
        return try schemaVersion(reader)
    }

    // MARK: -

    private static var options: DatabaseOptions {
        var options = DatabaseOptions()
        options.statementTimeoutMilliseconds = 0
        return options.clamped()
    }

    /// A connection outside any transaction. A SQLite file must exist.
    private static func connection(_ location: DatabaseLocation) throws -> any EngineConnection {
        switch location {
        case .sqlite(let path): return try SQLiteConnection(path: path, role: .reader, options: options)
        case .postgres(let connectionString):
            let connection = PostgresConnection(connectionString: connectionString, options: options)
            try connection.connect()
            return connection
        }
    }

    static func schemaVersion(_ connection: any EngineConnection) throws -> Int {
        try connection.values("SELECT COALESCE(MAX(number), 0) FROM schema_migrations") { Int(try $0.int(0)) }.first
            ?? 0
    }

    private static func migrate(_ location: DatabaseLocation, _ migrations: [Migration], to version: Int) async throws {
        guard version <= migrations.count else {
            throw MigrationError.databaseIsNewer(database: version, program: migrations.count)
        }
        let database = try Database.open(location, options: options)
        do { try await Migrator(Array(migrations.prefix(version))).run(on: database) } catch {
            await database.close()
            throw error
        }
        await database.close()
    }

    /// The names of all tables that migrations have ever made.
    private static func tables(of migrations: [Migration]) -> [String] {
        var names: [String] = [TableLayout.migrations]
        for migration in migrations {
            let words = SQLTokenizer.tokens(of: migration.sql).filter { !$0.isBlank }
            for index in words.indices.dropLast(2)
            where words[index].isWord("CREATE") && words[index + 1].isWord("TABLE") {
                names.append(words[index + 2].text)
            }
        }
        return names
    }

    private static func copy(
        _ source: any EngineConnection, _ target: any EngineConnection, _ progress: (String) -> Void
    ) throws {
        let (from, to) = (try TableLayout(of: source), try TableLayout(of: target))
        guard from.tables == to.tables else {
            throw DatabaseError.sql(code: "copy", message: "the tables of the two databases differ")
        }
        for table in from.tables {
            progress(table.name)
            try target.runNow(SQL("DELETE FROM \"\(table.name)\""))
            let insertion = table.insertion
            try forEachRow(of: table, source) { row in try target.execute(insertion, try table.values(of: row)) }
            // What was sent without waiting is answered by now.
            try target.runNow("SELECT 1")
        }
        try copySequences(source, target)
        // The search index is made anew: from the journal, and of history from the backlog.
        try target.runNow("UPDATE counters SET value = 0 WHERE name = 'search'")
        guard try TableLayout.names(target).contains("search_backlog") else { return }
        try target.runNow("DELETE FROM search_backlog")
        try target.runNow("INSERT INTO search_backlog (event_num) SELECT num FROM events WHERE position < 0")
    }

    private static func forEachRow(
        of table: TableLayout.Table, _ source: any EngineConnection, _ visit: (Row) throws -> Void
    ) throws {
        let selection = "SELECT \(table.list) FROM \"\(table.name)\""
        guard source.engine == .postgres else {
            return try source.query(SQL(selection), []) { row in
                try visit(row)
                return true
            }
        }
        // Else the whole table would be in memory.
        try source.runNow(SQL("DECLARE copied NO SCROLL CURSOR FOR \(selection)"))
        var count: Int
        repeat {
            count = 0
            try source.query(SQL("FETCH \(rowsAtOnce) FROM copied"), []) { row in
                count += 1
                try visit(row)
                return true
            }
        } while count == rowsAtOnce
        try source.runNow("CLOSE copied")
    }

    /// Numbers that were given out are not given out again, though their rows are gone.
    private static func copySequences(_ source: any EngineConnection, _ target: any EngineConnection) throws {
        for (table, value) in try sequences(source) {
            switch target.engine {
            case .sqlite:
                try target.runNow("DELETE FROM sqlite_sequence WHERE name = $1", table)
                try target.runNow("INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)", table, value)
            case .postgres:
                let name = "pg_get_serial_sequence('\"\(table)\"', 'num')"
                try target.runNow(SQL("SELECT setval(\(name), GREATEST($1, 1))"), value)
            }
        }
    }

    private static func sequences(_ source: any EngineConnection) throws -> [(table: String, value: Int64)] {
        switch source.engine {
        case .sqlite:
            return try source.values("SELECT name, seq FROM sqlite_sequence") { (try $0.text(0), try $0.int(1)) }
        case .postgres:
            let tables = try source.values(
                """
                SELECT CAST(table_name AS TEXT) FROM information_schema.columns
                WHERE table_schema = CURRENT_SCHEMA() AND is_identity = 'YES'
                """
            ) { try $0.text(0) }
            return try tables.map { table in
                let sequence = try source.values("SELECT pg_get_serial_sequence($1, 'num')", table) { try $0.text(0) }
                let value = try source.values(SQL("SELECT last_value FROM \(sequence.first ?? "")")) { try $0.int(0) }
                return (table, value.first ?? 0)
            }
        }
    }
}
