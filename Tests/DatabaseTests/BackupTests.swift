import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Database

/// Copies: made while others write, and from one engine to the other.
@Suite struct BackupTests {
    /// References in a circle with the order of the tables, to the table itself, and a number that is not used again.
    private static let schema = [
        Migration(
            number: 1, name: "first",
            sql: """
                CREATE TABLE z_parent (
                    num INTEGER PRIMARY KEY AUTOINCREMENT,
                    above INTEGER REFERENCES z_parent (num)
                );
                CREATE TABLE a_child (parent INTEGER NOT NULL REFERENCES z_parent (num), words TEXT, bytes BLOB, number INTEGER);
                CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
                INSERT INTO counters (name, value) VALUES ('search', 7);
                CREATE TABLE blobs (name TEXT NOT NULL PRIMARY KEY, sha256 BLOB NOT NULL, size INTEGER NOT NULL);
                """),
        Migration(
            number: 2, name: "second",
            sql: """
                -- engine: sqlite
                CREATE TABLE search_words (words TEXT) STRICT;
                -- engine: postgres
                CREATE TABLE search_words (words TSVECTOR);
                """),
    ]

    @Test func aSnapshotIsWholeThoughOthersWrite() async throws {
        let directory = try makeTemporaryDirectory()
        defer { removeTree(directory) }
        try await withSQLite(migrations: [itemsMigration]) { database in
            for start in stride(from: 0, to: 2_000, by: 100) {
                try await database.write { transaction in
                    for id in start..<(start + 100) {
                        try transaction.execute(
                            "INSERT INTO items (id, bytes) VALUES ($1, $2)", id, [UInt8](repeating: 7, count: 3_000))
                    }
                }
            }
            let isDone = Atomic(false)
            // Always both or neither: what is between two halves of a transaction is never copied.
            async let written = Self.writePairs(database, until: { isDone.load(ordering: .relaxed) })
            for round in 0..<3 {
                let path = "\(directory)/copy\(round)"
                try await database.snapshot(to: path)
                let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                #expect(mode == 0o600)
                let archive = try DatabaseArchive(path: path)
                #expect(try archive.flaws().isEmpty)
                let counts = Dictionary(uniqueKeysWithValues: try archive.rowCounts().map { ($0.table, $0.rows) })
                #expect((counts["items"] ?? 0) - 2_000 == counts["parts"])
                archive.close()
                #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count == round + 1)
            }
            isDone.store(true, ordering: .relaxed)
            #expect(try await written > 0)
        }
    }

    private static func writePairs(_ database: Database, until isDone: () -> Bool) async throws -> Int {
        var count = 0
        while !isDone() {
            let id = 10_000 + count
            try await database.write { transaction in
                try transaction.execute("INSERT INTO items (id) VALUES ($1)", id)
                try transaction.execute("INSERT INTO parts (id, item) VALUES ($1, $1)", id)
            }
            count += 1
        }
        return count
    }

    @Test func aSnapshotThatCannotBeWrittenLeavesNothing() async throws {
        try await withSQLite(migrations: [itemsMigration]) { database in
            await #expect(throws: DatabaseError.self) { try await database.snapshot(to: "/no/such/directory/copy") }
            try await database.addItem(1)
            #expect(try await database.itemIDs() == [1])
        }
    }

    @Test func whatIsCopiedToTheOtherEngineAndBackIsTheSame() async throws {
        let directory = try makeTemporaryDirectory()
        defer { removeTree(directory) }
        try await withPostgres(migrations: Self.schema) { database in
            try await database.write { transaction in
                for (above, number) in [(nil, Int64.min), (1, .max), (2, 0)] as [(Int?, Int64)] {
                    try transaction.execute("INSERT INTO z_parent (above) VALUES ($1)", above)
                    try transaction.execute(
                        "INSERT INTO a_child (parent, words, bytes, number) VALUES ($1, $2, $3, $4)", (above ?? 0) + 1,
                        number == 0 ? nil : "é\u{301}\u{1F4E1} '\n", [UInt8](number == 0 ? [] : [0, 255, 10]), number)
                }
                // A number that was given out, and whose row is gone.
                try transaction.execute("INSERT INTO z_parent (above) VALUES (NULL)")
                try transaction.execute("DELETE FROM z_parent WHERE num = 4")
            }
            let expected = try await Self.content(database)
            let path = "\(directory)/archive"
            try await DatabaseCopy.archive(database.location, to: path, migrations: Self.schema)
            let archive = try DatabaseArchive(path: path)
            #expect(try archive.flaws().isEmpty && archive.schemaVersion() == 2)
            archive.close()

            try await withPostgres(migrations: Self.schema) { other in
                try await other.write { try $0.execute("INSERT INTO z_parent (above) VALUES (NULL)") }
                try await DatabaseCopy.load(path, into: other.location, migrations: Self.schema)
                #expect(try await Self.content(other) == expected)
                let next = try await other.write {
                    try $0.first("INSERT INTO z_parent (above) VALUES (3) RETURNING num") { try $0.int(0) }
                }
                #expect(next == 5)
                // References are checked again.
                await #expect(throws: DatabaseError.self) {
                    try await other.write { try $0.execute("INSERT INTO a_child (parent) VALUES (99)") }
                }
                await #expect(throws: MigrationError.databaseIsNewer(database: 2, program: 1)) {
                    try await DatabaseCopy.load(path, into: other.location, migrations: [Self.schema[0]])
                }
            }
        }
    }

    private static func content(_ database: Database) async throws -> [String] {
        try await database.read { transaction in
            try transaction.all(
                "SELECT parent, COALESCE(words, '-'), bytes, number, bytes IS NULL FROM a_child ORDER BY parent"
            ) { "\(try $0.int(0)) \(Array(try $0.text(1).utf8)) \(try $0.blob(2)) \(try $0.int(3)) \(try $0.bool(4))" }
                + transaction.all("SELECT num, COALESCE(above, 0) FROM z_parent ORDER BY num") {
                    "\(try $0.int(0)) \(try $0.int(1))"
                }
        }
    }

    @Test func aDamagedArchiveIsFoundOut() async throws {
        let directory = try makeTemporaryDirectory()
        defer { removeTree(directory) }
        try await withSQLite(migrations: [itemsMigration]) { database in
            for id in 0..<500 { try await database.addItem(id) }
            let path = "\(directory)/copy"
            try await database.snapshot(to: path)
            var bytes = Array(try #require(FileManager.default.contents(atPath: path)))
            for index in stride(from: 5_000, to: bytes.count, by: 997) { bytes[index] ^= 0x55 }
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let found = Result {
                let archive = try DatabaseArchive(path: path)
                defer { archive.close() }
                return try archive.flaws()
            }
            if case .success(let flaws) = found { #expect(!flaws.isEmpty) }
        }
    }
}
