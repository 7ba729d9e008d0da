import Database
import Synchronization
import TestSupport
import Testing

@Suite struct TypesTests {
    static let migration = Migration(
        number: 1, name: "values",
        sql: """
            CREATE TABLE samples (
                id INTEGER NOT NULL PRIMARY KEY,
                number INTEGER,
                words TEXT,
                bytes BLOB
            );
            """)

    struct Sample: Equatable, Sendable {
        var number: Int64?
        var words: String?
        var bytes: [UInt8]?
    }

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
                for (id, sample) in samples.enumerated() {
                    try transaction.execute(
                        "INSERT INTO samples (id, number, words, bytes) VALUES ($1, $2, $3, $4)",
                        id, sample.number, sample.words, sample.bytes)
                }
            }
            let found = try await database.read { transaction in
                try transaction.all("SELECT number, words, bytes FROM samples ORDER BY id") { row in
                    Sample(
                        number: try row.intOrNil(0), words: try row.textOrNil(1), bytes: try row.blobOrNil(2))
                }
            }
            #expect(found == samples)
            // `==` takes "é" for "e\u{301}"; the bytes tell.
            #expect(found.map { Array(($0.words ?? "").utf8) } == samples.map { Array(($0.words ?? "").utf8) })
        }
    }
}
