import Database
import TestSupport
import Testing

@Suite struct ValuesTests {
    struct Sample: Equatable, Sendable {
        var number: Int64?
        var words: String?
        var bytes: [UInt8]?
    }

    static let migration = Migration(
        number: 1, name: "samples",
        sql: "CREATE TABLE samples (id INTEGER PRIMARY KEY, number INTEGER, words TEXT, bytes BLOB);")

    @Test func valuesComeBackAsTheyWere() async throws {
        let samples = [
            Sample(number: .max, words: "", bytes: []),
            Sample(number: .min, words: "é e\u{301} 😀 \u{10FFFF} '\"\\$1", bytes: [0, 255, 0, 1]),
            Sample(number: 0, words: "line\nline", bytes: Array(repeating: 0, count: 100_000)),
            Sample(number: -1, words: String(repeating: "x", count: 100_000), bytes: Array(0...255)),
            Sample(number: nil, words: nil, bytes: nil),
        ]
        try await withEachEngine(migrations: [Self.migration]) { database in
            try await database.write { transaction in
                try transaction.executeMany(
                    "INSERT INTO samples (id, number, words, bytes) VALUES ($1, $2, $3, $4)",
                    samples.enumerated().map { [$0, $1.number, $1.words, $1.bytes] })
            }
            let found = try await database.read { transaction in
                try transaction.all("SELECT number, words, bytes FROM samples ORDER BY id") { row in
                    Sample(number: try row.intOrNil(0), words: try row.textOrNil(1), bytes: try row.blobOrNil(2))
                }
            }
            #expect(found == samples)
            // `==` takes "é" for "e\u{301}"; the bytes tell.
            #expect(found.map { Array(($0.words ?? "").utf8) } == samples.map { Array(($0.words ?? "").utf8) })
        }
    }

    @Test func everyBindableType() async throws {
        try await withEachEngine(migrations: [Self.migration]) { database in
            let bytes: [UInt8] = [1, 2, 3, 4]
            let row = try await database.write { transaction in
                try transaction.first(
                    """
                    INSERT INTO samples (id, number, words, bytes) VALUES ($1, $2, $3, $4)
                    RETURNING number, words, bytes
                    """, Int32(7), true, SQLValue.utf8(Array("ü".utf8)), bytes[1...2]
                ) { ($0.isNull(0), try $0.bool(0), try $0.blob(1), try $0.withBlob(2) { Array($0) }) }
            }
            #expect(row?.0 == false)
            #expect(row?.1 == true)
            #expect(row?.2 == Array("ü".utf8))
            #expect(row?.3 == [2, 3])
        }
    }

    /// SQLite numbers `$n` by first appearance; we do not.
    @Test func parametersGoByTheirNumber() async throws {
        try await withEachEngine { database in
            let found = try await database.read { transaction in
                try transaction.first("SELECT $2 || $1 || $2, '$1', $3 + 1 -- $9", "a", "b", 41) {
                    (try $0.text(0), try $0.text(1), try $0.int(2))
                }
            }
            #expect(found?.0 == "bab")
            #expect(found?.1 == "$1")
            #expect(found?.2 == 42)
        }
    }

    @Test func lists() async throws {
        try await withEachEngine(migrations: [Self.migration]) { database in
            let hard = ["a\"b\\c", "\u{1}\n", "😀", ""]
            try await database.write { transaction in
                for (id, words) in hard.enumerated() {
                    try transaction.execute("INSERT INTO samples (id, words) VALUES ($1, $2)", id, words)
                }
                try transaction.execute(
                    "INSERT INTO samples (id, number) SELECT value, 1 FROM list($1) AS l", [10, 11])
            }
            try await database.read { transaction in
                func ids(_ sql: SQL, _ list: any SQLBindable) throws -> [Int64] {
                    try transaction.all(sql, list) { try $0.int(0) }
                }
                #expect(try ids("SELECT id FROM samples WHERE id IN list($1) ORDER BY id", [3, 1, 99]) == [1, 3])
                #expect(
                    try ids("SELECT id FROM samples WHERE id NOT IN list($1) ORDER BY id", [0, 1, 2, 3]) == [10, 11])
                #expect(try ids("SELECT id FROM samples WHERE id IN list($1)", [Int64]()) == [])
                #expect(
                    try ids("SELECT id FROM samples WHERE words IN textlist($1) ORDER BY id", hard) == [0, 1, 2, 3])
                #expect(try ids("SELECT id FROM samples WHERE words IN textlist($1)", [String]()) == [])
                let values = try transaction.all("SELECT l.value FROM textlist($1) AS l", hard) { try $0.text(0) }
                #expect(Set(values) == Set(hard))
                let extremes = [Int64.min, .max]
                let numbers = try transaction.all("SELECT value FROM list($1) AS l ORDER BY value", extremes) {
                    try $0.int(0)
                }
                #expect(numbers == extremes)
            }
        }
    }

    @Test func sumsAndTruthValuesAreIntegers() async throws {
        try await withEachEngine(migrations: [Self.migration]) { database in
            let numbers: [Int64] = [9_000_000_000_000_000_000, -1, 20_000, -9_000_000_000_000_000_000, 100_000_000]
            try await database.write { transaction in
                for (id, number) in numbers.enumerated() {
                    try transaction.execute("INSERT INTO samples (id, number) VALUES ($1, $2)", id, number)
                    let sum = try transaction.first("SELECT sum(number) FROM samples") { try $0.int(0) }
                    #expect(sum == numbers[...id].reduce(0, +))
                }
                let smallest = try transaction.first("SELECT -sum(id) FROM samples WHERE id < 2") { try $0.int(0) }
                #expect(smallest == -1)
                let isThere = try transaction.first("SELECT EXISTS (SELECT 1 FROM samples)") { try $0.bool(0) }
                #expect(isThere == true)
                let largest = try transaction.first("SELECT GREATEST($1, $2), LEAST($1, $2)", 3, 5) {
                    [try $0.int(0), try $0.int(1)]
                }
                #expect(largest == [5, 3])
            }
        }
    }

    @Test func textComparesAsBytes() async throws {
        try await withEachEngine(migrations: [Self.migration]) { database in
            let sorted = ["A", "B", "a", "b", "e\u{301}", "z", "é"]
            try await database.write { transaction in
                for (id, words) in sorted.reversed().enumerated() {
                    try transaction.execute("INSERT INTO samples (id, words) VALUES ($1, $2)", id, words)
                }
            }
            try await database.read { transaction in
                let found = try transaction.all("SELECT words FROM samples ORDER BY words") { try $0.text(0) }
                #expect(found.map { Array($0.utf8) } == sorted.map { Array($0.utf8) })
                let like = try transaction.all("SELECT words FROM samples WHERE words LIKE 'A%'") { try $0.text(0) }
                #expect(like == ["A"])
            }
        }
    }

    @Test func wrongTypesAreErrors() async throws {
        try await withEachEngine(migrations: [Self.migration]) { database in
            try await database.write { try $0.execute("INSERT INTO samples VALUES (1, NULL, 'x', $1)", [UInt8(1)]) }
            try await database.read { transaction in
                func failure(_ read: (Row) throws -> Void) -> DatabaseError? {
                    do {
                        _ = try transaction.first("SELECT id, number, words, bytes FROM samples", map: read)
                        return nil
                    } catch { return error as? DatabaseError }
                }
                let expected: [(DatabaseError?, Int, String, String)] = [
                    (failure { _ = try $0.text(0) }, 0, "text", "integer"),
                    (failure { _ = try $0.int(1) }, 1, "integer", "null"),
                    (failure { _ = try $0.int(2) }, 2, "integer", "text"),
                    (failure { _ = try $0.text(3) }, 3, "text", "blob"),
                    (failure { _ = try $0.text(99) }, 99, "text", "null"),
                    (failure { _ = try $0.blob(-1) }, -1, "blob", "null"),
                ]
                for (error, column, wanted, found) in expected {
                    #expect(error == .typeMismatch(column: column, expected: wanted, found: found))
                }
            }
        }
    }

    @Test func nulInTextIsRefusedOnBothEngines() async throws {
        try await withEachEngine(migrations: [Self.migration]) { database in
            let values: [any SQLBindable & Sendable] = ["a\0b", SQLValue.utf8([0]), ["a", "\0"]]
            for value in values {
                let error = await #expect(throws: DatabaseError.self) {
                    try await database.write { transaction in
                        try transaction.execute("INSERT INTO samples (id, words) VALUES (1, $1)", value)
                    }
                }
                guard case .sql(code: "22021", _) = error else {
                    Issue.record("\(database.engine): \(String(describing: error))")
                    continue
                }
            }
        }
    }

    @Test func wrongNumberOfParameters() async throws {
        try await withEachEngine(migrations: [Self.migration]) { database in
            await #expect(throws: DatabaseError.self) {
                try await database.read { try $0.first("SELECT id FROM samples WHERE id = $1") { try $0.int(0) } }
            }
            // The reader is none the worse for it.
            let one = try await database.read { transaction in try transaction.first("SELECT 1") { try $0.int(0) } }
            #expect(one == 1)
        }
    }

    /// Statements are kept by text, but a text may be used with other types, and within its own rows.
    @Test func oneTextManyUses() async throws {
        try await withEachEngine(migrations: [Self.migration]) { database in
            try await database.write { transaction in
                for id in 1...3 { try transaction.execute("INSERT INTO samples (id) VALUES ($1)", id) }
                let same: SQL = "SELECT $1"
                #expect(try transaction.first(same, "text") { try $0.text(0) } == "text")
                #expect(try transaction.first(same, 5) { try $0.int(0) } == 5)
                #expect(try transaction.first(same, Int64?.none) { try $0.intOrNil(0) } == .some(nil))
                let nested: SQL = "SELECT id FROM samples ORDER BY id"
                var pairs: [Int64] = []
                try transaction.forEach(nested) { outer in
                    let first = try outer.int(0)
                    try transaction.forEach(nested) { pairs.append(first * 10 + (try $0.int(0))) }
                }
                #expect(pairs == [11, 12, 13, 21, 22, 23, 31, 32, 33])
            }
        }
    }

    @Test func moreStatementsThanTheCacheHolds() async throws {
        var options = DatabaseOptions.forTests
        options.statementCacheCapacity = 16
        try await withEachEngine(options: options, migrations: [Self.migration]) { database in
            for round in 0..<3 {
                for number in 0..<40 {
                    let found = try await database.read { transaction in
                        try transaction.first(SQL("SELECT \(number) + $1"), round) { try $0.int(0) }
                    }
                    #expect(found == Int64(number + round))
                    try await database.write { transaction in
                        try transaction.execute(SQL("DELETE FROM samples WHERE id = $1 + \(number)"), 1)
                    }
                }
            }
        }
    }
}
