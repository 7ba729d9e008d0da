/// Does something within that time; the task of `body` is cancelled then, and has ended.
///
/// - Throws: `failure` when the time is over.
func within<Value: Sendable>(
    milliseconds: Int64, else failure: any Error, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: .milliseconds(milliseconds))
            throw failure
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() else { throw CancellationError() }
        return value
    }
}
