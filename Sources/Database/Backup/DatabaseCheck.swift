/// What can be said of a database from outside.
public struct DatabaseCheck: Sendable {
    /// The engine and its version.
    public let engine: String
    /// The number of the newest migration that it has; 0 for one without tables of ours.
    public let schemaVersion: Int
    /// What is wrong with it; empty if nothing is.
    public let flaws: [String]

    /// Looks at a database, without changing it.
    ///
    /// - Parameters:
    ///   - location: Where it is. A SQLite file must exist.
    ///   - isThorough: Whether all of a SQLite file is gone through, which takes as long as reading it.
    /// - Throws: ``DatabaseError`` if it cannot be reached.
    public init(_ location: DatabaseLocation, isThorough: Bool) throws {
        schemaVersion = try DatabaseCopy.schemaVersion(of: location)
        let connection = try EngineFactory(location: location, options: DatabaseOptions().clamped()).makeReader()
        defer { connection.close() }
        switch location {
        case .sqlite:
            let version = try connection.values("SELECT sqlite_version()") { try $0.text(0) }.first
            engine = "SQLite \(version ?? "")"
            flaws =
                isThorough
                ? try connection.values("PRAGMA quick_check(5)") { try $0.text(0) }.filter { $0 != "ok" } : []
        case .postgres:
            try connection.beginRead()
            defer { connection.endRead() }
            let settings = try connection.values(
                "SELECT current_setting('server_version_num'), current_setting('server_encoding')"
            ) { (number: try $0.text(0), encoding: try $0.text(1)) }.first
            let major = (Int(settings?.number ?? "") ?? 0) / 10_000
            engine = "PostgreSQL \(major)"
            var flaws: [String] = []
            if major < 15 { flaws.append("it is older than PostgreSQL 15") }
            if settings?.encoding != "UTF8" { flaws.append("its encoding is not UTF8") }
            self.flaws = flaws
        }
    }
}
