import Database
import TestSupport
import Testing

@Suite struct MigrationTests {
    static let first = Migration(
        number: 1, name: "people",
        sql: """
            -- Who; not what.
            CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, face BLOB);
            CREATE UNIQUE INDEX people_by_text ON people (text); -- one each;
            INSERT INTO people (text) VALUES ('semicolon; and ''quote''');
            """)
    static let second = Migration(
        number: 2, name: "pairs",
        sql: """
            CREATE TABLE pairs (
                a INTEGER NOT NULL, b TEXT NOT NULL DEFAULT 'INTEGER',
                PRIMARY KEY (a, b)
            ) WITHOUT ROWID;
            ALTER TABLE people ADD COLUMN age INTEGER;
            -- engine: sqlite
            CREATE TRIGGER ages AFTER INSERT ON people BEGIN
                UPDATE people SET age = 1 WHERE id = NEW.id;
                UPDATE people SET age = age + 1 WHERE id = NEW.id;
            END;
            -- engine: postgres
            CREATE FUNCTION two() RETURNS BIGINT LANGUAGE sql AS $$ SELECT 2::BIGINT; $$;
            -- engine: postgres
            ALTER TABLE people ALTER COLUMN age SET DEFAULT two();
            """)

    @Test func oneTextForBothEngines() async throws {
        try await withEachEngine { database in
            #expect(try await Migrator([Self.first]).run(on: database) == [1])
            #expect(try await Migrator([Self.first, Self.second]).run(on: database) == [2])
            #expect(try await Migrator([Self.first, Self.second]).run(on: database) == [])
            let row = try await database.write { transaction in
                try transaction.execute("INSERT INTO pairs (a) VALUES ($1)", Int64.max)
                try transaction.execute("INSERT INTO people (text, face) VALUES ('x', $1)", [UInt8(0)])
                return try transaction.first(
                    """
                    SELECT id, age, face, (SELECT b FROM pairs WHERE a = $1), (SELECT text FROM people WHERE id = 1)
                    FROM people WHERE text = 'x'
                    """, Int64.max
                ) { (try $0.int(0), try $0.int(1), try $0.blob(2), try $0.text(3), try $0.text(4)) }
            }
            #expect(row?.0 == 2)
            #expect(row?.1 == 2)
            #expect(row?.2 == [0])
            #expect(row?.3 == "INTEGER")
            #expect(row?.4 == "semicolon; and 'quote'")
            // STRICT on SQLite, as on PostgreSQL.
            await #expect(throws: DatabaseError.self) {
                try await database.write { try $0.execute("INSERT INTO pairs (a) VALUES ($1)", "text") }
            }
        }
    }

    @Test func aFailingMigrationLeavesNothingOfIt() async throws {
        let broken = Migration(
            number: 2, name: "broken", sql: "CREATE TABLE half (id INTEGER); INSERT INTO nowhere VALUES (1);")
        try await withEachEngine { database in
            let error = await #expect(throws: MigrationError.self) {
                try await Migrator([Self.first, broken]).run(on: database)
            }
            guard case .failed(number: 2, name: "broken", _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            // The first stays, the second can be tried again once it is right.
            let right = Migration(number: 2, name: "right", sql: "CREATE TABLE half (id INTEGER);")
            let applied = try await Migrator([Self.first, right]).run(on: database)
            #expect(applied == [2])
        }
    }

    @Test func whatHasLandedMustNotChange() async throws {
        try await withEachEngine(migrations: [Self.first]) { database in
            let changed = Migration(number: 1, name: "people", sql: Self.first.sql + " ")
            await #expect(throws: MigrationError.changed(number: 1, name: "people")) {
                try await Migrator([changed]).run(on: database)
            }
        }
    }

    @Test func anOlderProgramRefusesANewerDatabase() async throws {
        try await withEachEngine(migrations: [Self.first, Self.second]) { database in
            let expected = MigrationError.databaseIsNewer(database: 2, program: 1)
            await #expect(throws: expected) { try await Migrator([Self.first]).run(on: database) }
            await #expect(throws: MigrationError.databaseIsNewer(database: 2, program: 0)) {
                try await Migrator([]).run(on: database)
            }
            #expect(expected.description.contains("version 2"))
        }
    }

    @Test func theListMustBeWithoutGaps() {
        #expect(throws: MigrationError.misnumbered(expected: 1, found: 2)) { try Migrator([Self.second]) }
    }

    @Test func manyProcessesMayMigrateAtOnce() async throws {
        try await withEachEngine { database in
            let location = database.location
            let applied = try await withThrowingTaskGroup(of: [Int].self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let own = try Database.open(location, options: .forTests)
                        let result = try await Migrator([Self.first, Self.second]).run(on: own)
                        await own.close()
                        return result
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(applied.sorted() == [1, 2])
        }
    }
}
