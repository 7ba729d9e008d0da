import Database
import Matrix
import TestSupport
import Testing

@testable import Store

/// What a restored database is prepared for.
@Suite struct RenewalTests {
    @Test func theJournalLeapsAndEndsWithAnEntryThatSaysNothing() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            let known = try await store.write { try $0.journal.append(.presence(UserNumber(1))) }
            let report = try await store.write { try $0.renew(leap: 1 << 32, now: 1_000) }
            #expect(report.position.rawValue == known.rawValue + 1 << 32)

            // Whoever opens it goes on from there, and who goes through the journal reaches its end.
            let restored = try await Store.open(database)
            #expect(restored.journal.end == report.position)
            let rows = try await restored.read { try $0.journal.rows(after: known, limit: 10) }
            #expect(rows.map(\.position) == [report.position])
            if case .other? = rows.first?.subject {} else { Issue.record("the entry says something") }
            let next = try await restored.write { try $0.journal.append(.presence(UserNumber(1))) }
            #expect(next.rawValue == report.position.rawValue + 1 && restored.journal.end == next)
        }
    }

    @Test func whatMayHaveBeenUsedIsNotUsedAgain() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            try await store.write { writer in
                for (service, txn) in [("old", 5), ("ahead", 9_000)] {
                    try writer.sql.execute(
                        "INSERT INTO app_services (id, since, txn) VALUES ($1, 0, $2)", service, txn)
                }
                for (delay, due) in [("due", 500), ("later", 5_000)] {
                    try writer.sql.execute(
                        """
                        INSERT INTO delayed_events (
                            delay_id, user_num, room_num, type, content, delay_ms, running_since_ts, send_ts, position)
                        VALUES ($1, 1, 1, 'm.room.message', '{}', 1, 1, $2, 0)
                        """, delay, due)
                }
            }
            let report = try await store.write { try $0.renew(leap: 10, now: 1_000) }
            #expect(report.delayedEvents == 1)
            let (numbers, delayed) = try await store.read { reader in
                (
                    try reader.sql.all("SELECT txn FROM app_services ORDER BY txn") { try $0.int(0) },
                    try reader.sql.all("SELECT delay_id FROM delayed_events") { try $0.text(0) }
                )
            }
            #expect(numbers == [1_000, 9_000] && delayed == ["later"])
        }
    }
}
