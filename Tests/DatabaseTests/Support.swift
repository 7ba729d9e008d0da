import Database
import Dispatch
import Synchronization
import Testing

/// A table that most tests use.
let itemsMigration = Migration(
    number: 1, name: "items",
    sql: """
        CREATE TABLE items (
            id INTEGER NOT NULL PRIMARY KEY,
            words TEXT NOT NULL DEFAULT '' CHECK (length(words) < 10),
            bytes BLOB
        );
        CREATE TABLE parts (
            id INTEGER NOT NULL PRIMARY KEY,
            item INTEGER NOT NULL REFERENCES items (id)
        );
        """)

/// A write without a result.
typealias WriteBody = @Sendable (WriteTransaction) throws -> Void

/// An error of a test's own.
struct Refusal: Error, Equatable {}

/// A value that the tasks of a test share.
final class Shared<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) { mutex = Mutex(value) }

    var value: Value { mutex.withLock { $0 } }

    func withLock<R: Sendable>(_ body: (inout Value) -> R) -> R { mutex.withLock { body(&$0) } }
}

extension Database {
    func itemIDs() async throws -> [Int64] {
        try await read { try $0.all("SELECT id FROM items ORDER BY id") { try $0.int(0) } }
    }

    func addItem(_ id: Int) async throws {
        try await write { try $0.execute("INSERT INTO items (id) VALUES ($1)", id) }
    }

    /// Runs writes as one group: holds the writer up until all of them wait, in order.
    func writeAsGroup<T: Sendable>(
        _ bodies: [@Sendable (WriteTransaction) throws -> T]
    ) async throws -> [Result<T, any Error>] {
        let hold = DispatchSemaphore(value: 0)
        let isHolding = Atomic(false)
        async let holder: Void = write { _ in
            isHolding.store(true, ordering: .sequentiallyConsistent)
            hold.wait()
        }
        try await wait { isHolding.load(ordering: .sequentiallyConsistent) }
        var tasks: [Task<T, any Error>] = []
        for body in bodies {
            tasks.append(Task { try await self.write(body) })
            let count = tasks.count
            try await wait { self.waitingWrites == count }
        }
        hold.signal()
        try await holder
        var results: [Result<T, any Error>] = []
        for task in tasks { results.append(await task.result) }
        return results
    }
}

/// Waits until a condition holds, at most ten seconds.
func wait(line: Int = #line, until condition: () -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while !condition() {
        guard ContinuousClock.now < deadline else { throw TimedOut(line: line) }
        try await Task.sleep(for: .milliseconds(1))
    }
}

struct TimedOut: Error {
    let line: Int
}

extension Result {
    var error: (any Error)? {
        if case .failure(let error) = self { return error }
        return nil
    }

    var isSuccess: Bool { error == nil }
}
