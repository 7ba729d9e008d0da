/// Something took longer than it may.
struct DeadlineExceeded: Error {}

/// Does something within that time.
///
/// - Throws: ``DeadlineExceeded``; the task of `body` is cancelled then, and has ended.
func within<Value: Sendable>(
    milliseconds: Int64, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: .milliseconds(max(milliseconds, 0)))
            throw DeadlineExceeded()
        }
        defer { group.cancelAll() }
        // There are two tasks, so there is a first.
        guard let value = try await group.next() else { throw DeadlineExceeded() }
        return value
    }
}
