import Synchronization

/// Does a piece of work once for all who want it at the same time. The work goes on when those who wait go away.
final class Coalescer<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private typealias Waiters = [UInt64: CheckedContinuation<Value?, Never>]

    private struct State {
        var waiting: [Key: Waiters] = [:]
        var lastWaiter: UInt64 = 0
    }

    private let state = Mutex(State())

    /// The result of the work under way for that key, or else of `work`; `nil` if the caller's task is cancelled before it is there.
    func run(_ key: Key, _ work: @escaping @Sendable () async -> Value) async -> Value? {
        let number = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isFirst = state.withLock { state -> Bool? in
                    if Task.isCancelled { return nil }
                    let isFirst = state.waiting[key] == nil
                    state.waiting[key, default: [:]][number] = continuation
                    return isFirst
                }
                switch isFirst {
                case nil: continuation.resume(returning: nil)
                case true?:
                    Task {
                        let value = await work()
                        let waiters = self.state.withLock { $0.waiting.removeValue(forKey: key) } ?? [:]
                        for waiter in waiters.values { waiter.resume(returning: value) }
                    }
                case false?: break
                }
            }
        } onCancel: {
            // The entry stays, even without anyone who waits: it says that the work is under way.
            let waiter = state.withLock { $0.waiting[key]?.removeValue(forKey: number) }
            waiter?.resume(returning: nil)
        }
    }
}

/// Does something for each of several values at once, but only so many at a time.
func forEachConcurrently<Value: Sendable>(
    _ values: [Value], atOnce limit: Int, _ body: @escaping @Sendable (Value) async -> Void
) async {
    await withDiscardingTaskGroup { group in
        let queue = Queue(values)
        for _ in 0..<min(limit, values.count) {
            group.addTask { while let value = queue.next() { await body(value) } }
        }
    }
}

private final class Queue<Value: Sendable>: Sendable {
    private let rest: Mutex<ArraySlice<Value>>
    init(_ values: [Value]) { rest = Mutex(values[...]) }
    func next() -> Value? { rest.withLock { $0.popFirst() } }
}
