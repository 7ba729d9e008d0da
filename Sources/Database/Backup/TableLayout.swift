/// The tables of a database as they are copied: all but those of the search index, which each engine keeps in its own way.
struct TableLayout {
    struct Column: Equatable {
        let name: String
        let type: SQLType
    }

    struct Table: Equatable {
        let name: String
        let columns: [Column]
    }

    let tables: [Table]

    /// Not copied: migrations say themselves what they have done.
    static let migrations = "schema_migrations"
    /// Made anew from the events.
    private static let searchIndex = "search_"

    /// The tables of a database on either engine.
    ///
    /// - Throws: ``DatabaseError``, also for a column of a type that is no number, text or bytes.
    init(of connection: any EngineConnection) throws {
        var tables: [Table] = []
        for name in try Self.names(connection) where !name.hasPrefix(Self.searchIndex) && name != Self.migrations {
            tables.append(Table(name: name, columns: try Self.columns(of: name, connection)))
        }
        self.tables = tables
    }

    /// All tables that there are.
    static func names(_ connection: any EngineConnection) throws -> [String] {
        let text: SQL =
            switch connection.engine {
            case .sqlite:
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            case .postgres:
                """
                SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = CURRENT_SCHEMA() ORDER BY tablename
                """
            }
        return try connection.values(text) { try $0.text(0) }
    }

    private static func columns(of table: String, _ connection: any EngineConnection) throws -> [Column] {
        let text: SQL =
            switch connection.engine {
            case .sqlite: "SELECT name, type FROM pragma_table_info($1) ORDER BY cid"
            case .postgres:
                """
                SELECT CAST(column_name AS TEXT), CAST(data_type AS TEXT) FROM information_schema.columns
                WHERE table_schema = CURRENT_SCHEMA() AND table_name = $1 ORDER BY ordinal_position
                """
            }
        return try connection.values(text, table) { row in
            let name = try row.text(0)
            switch try row.text(1) {
            case "INTEGER", "bigint": return Column(name: name, type: .integer)
            case "TEXT", "text": return Column(name: name, type: .text)
            case "BLOB", "bytea": return Column(name: name, type: .blob)
            case let type:
                throw DatabaseError.sql(code: "copy", message: "\(table).\(name) is of type \(type)")
            }
        }
    }
}

extension TableLayout.Table {
    var list: String { columns.map { "\"\($0.name)\"" }.joined(separator: ", ") }

    var insertion: SQL {
        let places = columns.indices.map { "$\($0 + 1)" }.joined(separator: ", ")
        return SQL("INSERT INTO \"\(name)\" (\(list)) VALUES (\(places))")
    }

    /// A row as parameters.
    func values(of row: Row) throws -> [any SQLBindable] {
        try columns.indices.map { index -> SQLValue in
            switch columns[index].type {
            case .integer: try row.intOrNil(index).map { .integer($0) } ?? .null(.integer)
            case .blob: try row.blobOrNil(index).map { .blob($0) } ?? .null(.blob)
            default: try row.blobOrNil(index).map { .utf8($0) } ?? .null(.text)
            }
        }
    }
}

extension EngineConnection {
    /// Every row, each turned into a value.
    func values<T>(_ sql: SQL, _ parameters: any SQLBindable..., map: (Row) throws -> T) throws -> [T] {
        var values: [T] = []
        try query(sql, parameters) { row in
            values.append(try map(row))
            return true
        }
        return values
    }

    /// Runs a statement and waits for its answer.
    func runNow(_ sql: SQL, _ parameters: any SQLBindable...) throws { try query(sql, parameters) { _ in true } }
}
