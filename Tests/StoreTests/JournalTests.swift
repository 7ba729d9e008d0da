import Database
import Matrix
import Synchronization
import TestSupport
import Testing

@testable import Store

/// The journal's promise: whoever reads position n sees every lower one.
@Suite struct JournalTests {
    private static func user(_ number: Int) -> UserNumber { UserNumber(Int64(number)) }

    @Test func positionsAreVisibleInOrderUnderConcurrentWritersAndSlowCommits() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            let writers = 12
            let perWriter = 15
            let isDone = Mutex(false)
            async let gaps = Self.watch(store, until: { isDone.withLock { $0 } })
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<writers {
                    group.addTask {
                        for round in 0..<perWriter {
                            try await store.write { transaction in
                                try transaction.journal.append(.presence(Self.user(writer)))
                                // Some transactions hold their position for a while before they commit.
                                if (writer + round).isMultiple(of: 7) {
                                    try transaction.sql.forEach(
                                        """
                                        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                                        SELECT COUNT(*) FROM n
                                        """
                                    ) { _ in }
                                }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            isDone.withLock { $0 = true }
            let wrong = try await gaps
            #expect(wrong.isEmpty)
            let stored = try await store.read { reader in
                try reader.sql.all("SELECT position FROM journal ORDER BY position") { try $0.int(0) }
            }
            #expect(stored == Array(1...Int64(writers * perWriter)))
            #expect(store.journal.end == StreamPosition(Int64(writers * perWriter)))
        }
    }

    /// Reads the journal over and over; returns the snapshots in which a position was missing below another.
    private static func watch(_ store: Store, until isDone: @Sendable () -> Bool) async throws -> [[Int64]] {
        var wrong: [[Int64]] = []
        while !isDone() {
            let seen = try await store.read { reader in
                try reader.sql.all("SELECT position FROM journal ORDER BY position") { try $0.int(0) }
            }
            if seen != Array(Int64(1)..<Int64(seen.count + 1)) { wrong.append(seen) }
        }
        return wrong
    }

    @Test func twoStoresOnOneDatabaseShareOneOrder() async throws {
        try await withPostgres { database in
            // What two nodes see of each other: positions without gaps, whoever wrote them.
            let first = try await Store.open(database)
            let second = try await Store.open(database)
            for round in 0..<10 {
                let store = round.isMultiple(of: 2) ? first : second
                _ = try await store.write { try $0.journal.append(.presence(Self.user(round))) }
            }
            let stored = try await first.read { reader in
                try reader.sql.all("SELECT position FROM journal ORDER BY position") { try $0.int(0) }
            }
            #expect(stored == Array(1...10))
        }
    }

    @Test func aTransactionThatFailsLeavesNoGap() async throws {
        struct Refused: Error {}
        try await withEachEngine { database in
            let store = try await Store.open(database)
            _ = try await store.write { try $0.journal.append(.presence(Self.user(1))) }
            await #expect(throws: Refused.self) {
                try await store.write { writer in
                    try writer.journal.append(.presence(Self.user(2)))
                    throw Refused()
                }
            }
            let position = try await store.write { try $0.journal.append(.presence(Self.user(3))) }
            #expect(position == StreamPosition(2))
            let entries = store.journal.entries(after: StreamPosition(0), through: position)
            #expect(entries?.map(\.position) == [StreamPosition(1), StreamPosition(2)])
            #expect(entries?.compactMap(\.change.user) == [Self.user(1), Self.user(3)])
        }
    }

    @Test func theTailForgetsBeyondItsBudgetAndSaysSo() {
        let journal = Journal(end: StreamPosition(0), byteBudget: 1_000)
        for position in 1...100 {
            journal.publish([JournalEntry(position: StreamPosition(Int64(position)), change: .presence(Self.user(1)))])
        }
        #expect(journal.end == StreamPosition(100))
        #expect(journal.entries(after: StreamPosition(0), through: StreamPosition(100)) == nil)
        #expect(journal.entries(after: StreamPosition(98), through: StreamPosition(100))?.count == 2)
        #expect(journal.entries(after: StreamPosition(100), through: StreamPosition(100))?.isEmpty == true)
    }

    @Test func entriesThatComeEarlyWaitForThoseBeforeThem() {
        let journal = Journal(end: StreamPosition(0), byteBudget: 1 << 20)
        let heard = Mutex<[Int64]>([])
        let gaps = Mutex<[Int64]>([])
        journal.listen { entries in heard.withLock { $0 += entries.map(\.position.rawValue) } }
        journal.onGap { after in gaps.withLock { $0.append(after.rawValue) } }
        func entry(_ position: Int64) -> JournalEntry {
            JournalEntry(position: StreamPosition(position), change: .presence(Self.user(1)))
        }
        journal.publish([entry(2)])
        #expect(journal.end == StreamPosition(0))
        #expect(gaps.withLock { $0 } == [0])
        journal.publish([entry(1)])
        #expect(journal.end == StreamPosition(2))
        journal.publish([entry(1), entry(3)])
        #expect(heard.withLock { $0 } == [1, 2, 3])
    }
}
