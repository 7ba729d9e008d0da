import Synchronization

extension Scheduler {
    /// What an operation comes to, or `nil` if it has not come to anything in time. It goes on in any case.
    func within<T: Sendable>(
        milliseconds: Int64, _ operation: @escaping @Sendable () async -> T
    ) async -> T? {
        await withCheckedContinuation { continuation in
            let waiting = Mutex<CheckedContinuation<T?, Never>?>(continuation)
            let answer: @Sendable (T?) -> Void = { value in
                let first = waiting.withLock { waiting in
                    defer { waiting = nil }
                    return waiting
                }
                first?.resume(returning: value)
            }
            Task { answer(await operation()) }
            after(milliseconds: milliseconds) { answer(nil) }
        }
    }
}
