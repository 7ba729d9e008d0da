/// A SQLite file of a backup, which is looked at without being changed.
public struct DatabaseArchive {
    private let connection: SQLiteConnection

    /// Opens the file.
    ///
    /// - Throws: ``DatabaseError`` if it cannot be read or is none.
    public init(path: String) throws {
        connection = try SQLiteConnection(path: path, role: .archive, options: DatabaseOptions().clamped())
    }

    /// Ends reading.
    public func close() { connection.close() }

    /// The number of the newest migration that it has.
    public func schemaVersion() throws -> Int { try DatabaseCopy.schemaVersion(connection) }

    /// What is wrong with it: its structure, its indexes, references that lead nowhere. Empty if nothing is.
    public func flaws() throws -> [String] {
        var flaws = try connection.values("PRAGMA integrity_check(20)") { try $0.text(0) }.filter { $0 != "ok" }
        flaws += try connection.values("PRAGMA foreign_key_check") { row in
            "a row of \(try row.text(0)) refers to one of \(try row.text(2)) that is not there"
        }.prefix(20)
        return flaws
    }

    /// How many rows each table holds that is copied from one database to another.
    public func rowCounts() throws -> [(table: String, rows: Int64)] {
        try TableLayout(of: connection).tables.map { table in
            let count = try connection.values(SQL("SELECT COUNT(*) FROM \"\(table.name)\"")) { try $0.int(0) }
            return (table.name, count.first ?? 0)
        }
    }

    /// The files that it refers to: their names in the media store, their SHA-256 and sizes, in the order of names.
    ///
    /// - Parameter body: Called for each.
    public func forEachBlob(_ body: (_ name: String, _ sha256: [UInt8], _ size: Int64) throws -> Void) throws {
        try connection.query("SELECT name, sha256, size FROM blobs ORDER BY name", []) { row in
            try body(try row.text(0), try row.blob(1), try row.int(2))
            return true
        }
    }
}
