import Homeserver
import Logging
import Matrix
import Store
import Synchronization
import TestSupport
import Testing

/// Who follows the journal with a cursor misses nothing, whatever fails.
@Suite struct JournalCursorTests {
    /// Keeps the places it is shown. It fails a few times first.
    private final class Witness: JournalFollower {
        let seen = Mutex<[Int64]>([])
        let failures: Mutex<Int>
        let stores: Bool
        let followUps = Mutex<Int>(0)

        init(failures: Int = 0, stores: Bool = true) {
            self.failures = Mutex(failures)
            self.stores = stores
        }

        struct Failure: Error {}

        func follow(_ rows: [JournalRow]) async throws -> (@Sendable (StoreWriter) throws -> Void)? {
            let fails = failures.withLock { left in
                left -= 1
                return left >= 0
            }
            if fails { throw Failure() }
            seen.withLock { $0 += rows.map(\.position.rawValue) }
            guard stores else { return nil }
            return { @Sendable _ in }
        }

        func followUp() async throws -> Bool {
            followUps.withLock { count in
                count += 1
                return count % 3 != 0
            }
        }
    }

    /// Time passes as it does, but faster.
    private struct FastScheduler: Scheduler {
        func after(milliseconds: Int64, _ action: @escaping @Sendable () -> Void) {
            Task {
                try? await Task.sleep(for: .milliseconds(milliseconds / 20))
                action()
            }
        }
    }

    private func cursor(_ witness: Witness, _ store: Store) -> JournalCursor {
        JournalCursor(
            .search, follower: witness, store: store, scheduler: FastScheduler(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func announce(_ count: Int, in store: Store) async throws {
        for number in 0..<count {
            _ = try await store.write { try $0.journal.append(.presence(UserNumber(Int64(number)))) }
        }
    }

    @Test func everyEntryIsSeenOnceAndInOrder() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            try await announce(100, in: store)
            let witness = Witness()
            let cursor = cursor(witness, store)
            try await cursor.start()
            await cursor.catchUp(withinMilliseconds: 200_000)
            #expect(witness.seen.withLock { $0 } == Array(1...100))
            try await announce(50, in: store)
            await cursor.catchUp(withinMilliseconds: 200_000)
            #expect(witness.seen.withLock { $0 } == Array(1...150))
            #expect(witness.followUps.withLock { $0 } == 3)
            cursor.requestFollowUp()
            await cursor.catchUp(withinMilliseconds: 200_000)
            #expect(witness.followUps.withLock { $0 } == 6)
            await cursor.stop()
        }
    }

    @Test func itGoesOnWhereItWas() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            try await announce(70, in: store)
            let first = cursor(Witness(), store)
            try await first.start()
            await first.catchUp(withinMilliseconds: 200_000)
            await first.stop()
            try await announce(5, in: store)
            let witness = Witness()
            // The memory of the first store does not reach the second.
            let second = cursor(witness, try await Store.open(database))
            try await second.start()
            await second.catchUp(withinMilliseconds: 200_000)
            #expect(witness.seen.withLock { $0 } == Array(71...75))
            await second.stop()
        }
    }

    @Test func whatWasNotStoredIsSeenAgain() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            try await announce(10, in: store)
            for _ in 0..<2 {
                let witness = Witness(stores: false)
                let cursor = cursor(witness, store)
                try await cursor.start()
                await cursor.catchUp(withinMilliseconds: 200_000)
                #expect(witness.seen.withLock { $0 } == Array(1...10))
                await cursor.stop()
            }
        }
    }

    @Test func whatFailsIsTriedAgain() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            try await announce(3, in: store)
            let witness = Witness(failures: 2)
            let cursor = cursor(witness, store)
            try await cursor.start()
            await cursor.catchUp(withinMilliseconds: 2_000_000)
            #expect(witness.seen.withLock { $0 } == [1, 2, 3])
            await cursor.stop()
        }
    }
}
