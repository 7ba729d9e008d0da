import Database
import Dispatch
import Synchronization
import TestSupport
import Testing

@Suite struct FailureTests {
    // MARK: SQLite

    @Test func aFullDiskLosesNothingAcknowledged() async throws {
        var options = DatabaseOptions.forTests
        options.maxPages = 100
        try await withSQLite(options: options, migrations: [itemsMigration]) { database in
            let acknowledged = Shared<Set<Int64>>([])
            let refused = Shared<[DatabaseError]>([])
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        for round in 0..<20 {
                            let id = Int64(writer * 100 + round)
                            do {
                                try await database.write { transaction in
                                    try transaction.execute(
                                        "INSERT INTO items (id, bytes) VALUES ($1, $2)", id,
                                        [UInt8](repeating: 1, count: 5_000))
                                }
                                acknowledged.withLock { _ = $0.insert(id) }
                            } catch let error as DatabaseError {
                                refused.withLock { $0.append(error) }
                            } catch {
                                Issue.record(error)
                            }
                        }
                    }
                }
            }
            let kept = acknowledged.value
            #expect(!kept.isEmpty)
            #expect(!refused.value.isEmpty)
            for error in refused.value {
                guard case .unavailable = error else {
                    Issue.record("a full disk must be unavailability: \(error)")
                    break
                }
            }
            #expect(try await Set(database.itemIDs()) == kept)
            // Once there is room again, writing works again.
            try await database.write { try $0.execute("DELETE FROM items") }
            try await database.addItem(1)
            #expect(try await database.itemIDs() == [1])
        }
    }

    @Test func aDamagedFileIsCorrupt() async throws {
        let place = try TemporaryLocation(.sqlite)
        defer { place.remove() }
        guard case .sqlite(let path) = place.location else { return }
        try writeFile(path, String(repeating: "not a database ", count: 1_000))
        let error = #expect(throws: DatabaseError.self) { try Database.open(place.location) }
        guard case .corrupt = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func aMissingDirectoryIsUnavailable() {
        let error = #expect(throws: DatabaseError.self) {
            try Database.open(.sqlite(path: "/nonexistent/directory/chappe.db"))
        }
        guard case .unavailable = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    // MARK: Both

    @Test func whatWaitsIsDoneBeforeClosing() async throws {
        try await withEachEngine(migrations: [itemsMigration]) { database in
            let hold = DispatchSemaphore(value: 0)
            let isHolding = Atomic(false)
            async let holder: Void = database.write { _ in
                isHolding.store(true, ordering: .sequentiallyConsistent)
                hold.wait()
            }
            try await wait { isHolding.load(ordering: .sequentiallyConsistent) }
            async let waiting: Void = database.addItem(1)
            try await wait { database.waitingWrites == 1 }
            async let closing: Void = database.close()
            try await Task.sleep(for: .milliseconds(20))
            hold.signal()
            _ = try await (holder, waiting, closing)
            let error = await #expect(throws: DatabaseError.self) { try await database.addItem(2) }
            guard case .unavailable = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            let again = try Database.open(database.location, options: .forTests)
            #expect(try await again.itemIDs() == [1])
            await again.close()
        }
    }

    @Test func aFullQueueRefuses() async throws {
        var options = DatabaseOptions.forTests
        options.maxQueuedWrites = 1
        try await withEachEngine(options: options, migrations: [itemsMigration]) { database in
            let hold = DispatchSemaphore(value: 0)
            let isHolding = Atomic(false)
            async let holder: Void = database.write { _ in
                isHolding.store(true, ordering: .sequentiallyConsistent)
                hold.wait()
            }
            try await wait { isHolding.load(ordering: .sequentiallyConsistent) }
            async let waiting: Void = database.addItem(1)
            try await wait { database.waitingWrites == 1 }
            let error = await #expect(throws: DatabaseError.self) { try await database.addItem(2) }
            hold.signal()
            _ = try await (holder, waiting)
            guard case .unavailable = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(try await database.itemIDs() == [1])
        }
    }

    @Test func aTransactionIsOverWhenItsClosureReturns() async throws {
        final class Keeper: @unchecked Sendable { var transaction: WriteTransaction? }
        try await withEachEngine(migrations: [itemsMigration]) { database in
            let keeper = Keeper()
            try await database.write { keeper.transaction = $0 }
            #expect(throws: DatabaseError.self) {
                try keeper.transaction?.execute("INSERT INTO items (id) VALUES (1)")
            }
        }
    }
}
