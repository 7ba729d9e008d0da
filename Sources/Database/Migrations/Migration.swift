/// One numbered change of the schema, written once for both engines.
///
/// Tables are written with the types `INTEGER` (64-bit), `TEXT` and `BLOB`, keywords in capitals; see ``PortableDDL`` for
/// what each engine makes of them. A migration that has landed never changes: the next one corrects it.
public struct Migration: Sendable {
    /// The position among all migrations: 1, 2, 3, …
    public let number: Int
    /// A few words for the person who reads the table of migrations.
    public let name: String
    /// Statements separated by semicolons.
    public let sql: String

    /// A migration.
    ///
    /// - Parameters:
    ///   - number: the position among all migrations, from 1 without gaps.
    ///   - name: a few words.
    ///   - sql: statements separated by semicolons. A statement preceded by a line `-- engine: sqlite` or
    ///     `-- engine: postgres` runs on that engine only, unchanged.
    public init(number: Int, name: String, sql: String) {
        self.number = number
        self.name = name
        self.sql = sql
    }

    /// What tells whether the text has changed since it was applied: FNV-1a in 64 bits.
    ///
    /// It guards against mistakes, not against attackers, who could change the table as well.
    var checksum: Int64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in sql.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return Int64(bitPattern: hash)
    }
}

/// Why the schema cannot be brought to the program's version.
public enum MigrationError: Error, Sendable, Equatable {
    /// The list given to the ``Migrator`` is not 1, 2, 3, …
    case misnumbered(expected: Int, found: Int)
    /// A newer program has migrated this database; this one does not know what its schema means.
    case databaseIsNewer(database: Int, program: Int)
    /// A migration that was applied reads differently now.
    case changed(number: Int, name: String)
    /// A migration before the newest one was never applied.
    case missing(number: Int)
    /// A statement of a migration failed; nothing of that migration remains.
    case failed(number: Int, name: String, reason: DatabaseError)
}

extension MigrationError: CustomStringConvertible {
    /// A sentence for the administrator.
    public var description: String {
        switch self {
        case .misnumbered(let expected, let found):
            "migration \(expected) expected, \(found) found in the program's list"
        case .databaseIsNewer(let database, let program):
            """
            the database is at version \(database) and this program knows up to \(program): \
            run the newer program, or restore the backup made before its upgrade
            """
        case .changed(let number, let name):
            "migration \(number) (\(name)) was applied with another text than this program's"
        case .missing(let number): "migration \(number) was never applied, though later ones were"
        case .failed(let number, let name, let reason): "migration \(number) (\(name)) failed: \(reason)"
        }
    }
}
