import Synchronization

/// Does a piece of work once for all who want it at the same time.
///
/// The work goes on when one of those who wait goes away: the others still want it.
final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let tasks = Mutex<[Key: Task<Value, any Error>]>([:])

    /// The result of the work under way for that key, or else of `work`.
    func run(_ key: Key, _ work: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let task = tasks.withLock { tasks in
            if let task = tasks[key] { return task }
            let task = Task {
                defer { _ = self.tasks.withLock { $0.removeValue(forKey: key) } }
                return try await work()
            }
            tasks[key] = task
            return task
        }
        return try await task.value
    }
}
