import Foundation
import TestSupport
import Testing

@testable import Database

@Suite struct SQLiteFileTests {
    @Test func acknowledgedMeansOnDisk() async throws {
        try await withSQLite { database in
            let settings = try await database.exclusively { connection in
                var values: [String] = []
                for question: SQL in ["PRAGMA synchronous", "PRAGMA foreign_keys"] {
                    try connection.query(question, []) { row in
                        values.append(String(try row.int(0)))
                        return true
                    }
                }
                try connection.query("PRAGMA journal_mode", []) { row in
                    values.append(try row.text(0))
                    return true
                }
                return values
            }
            #expect(settings == ["2", "1", "wal"])
        }
    }

    @Test func onlyTheOwnerCanReadTheFiles() async throws {
        try await withSQLite(migrations: [itemsMigration]) { database in
            guard case .sqlite(let path) = database.location else { return }
            for file in [path, path + "-wal", path + "-shm"] {
                let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
                #expect(mode == 0o600, "\(file)")
            }
        }
    }

    /// A reader that stays must not make the log grow for ever after it left, nor writers that never pause.
    @Test func theLogStaysBounded() async throws {
        var options = DatabaseOptions.forTests
        options.checkpointPages = 50
        options.checkpointUnderLoadPages = 100
        options.maxLogPages = 400
        options.busyTimeoutMilliseconds = 50
        try await withSQLite(options: options, migrations: [itemsMigration]) { database in
            guard case .sqlite(let path) = database.location else { return }
            func logPages() throws -> Int {
                let size = try FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int ?? 0
                return size / 4096
            }
            for round in 0..<40 {
                try await database.write { transaction in
                    for part in 0..<10 {
                        try transaction.execute(
                            "INSERT INTO items (id, bytes) VALUES ($1, $2)", round * 10 + part,
                            [UInt8](repeating: 9, count: 20_000))
                    }
                }
            }
            // 2,000 pages of content went through it.
            #expect(try logPages() < 500)
            #expect(try await database.itemIDs().count == 400)
            await database.close()
            let leftPages = FileManager.default.fileExists(atPath: path + "-wal") ? try logPages() : 0
            #expect(leftPages == 0)
        }
    }
}

/// Writes a text file.
func writeFile(_ path: String, _ text: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
}
