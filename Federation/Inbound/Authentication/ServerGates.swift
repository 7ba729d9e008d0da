import Matrix
import Synchronization

/// Lets what a server asks happen a few at a time, with a few more waiting: a server that asks for much holds up itself only.
final class ServerGates: Sendable {
    private struct Queue {
        var inside = 1
        var waiting: [CheckedContinuation<Bool, Never>] = []
    }

    private let queues = Mutex<[ServerName: Queue]>([:])
    private let permits: Int
    private let maximumWaiting: Int

    /// - Parameters:
    ///   - permits: What may happen at the same time for each server.
    ///   - maximumWaiting: What may wait for each server.
    init(permits: Int, maximumWaiting: Int) {
        self.permits = permits
        self.maximumWaiting = maximumWaiting
    }

    /// Does something when its turn has come.
    ///
    /// - Throws: 429 `M_LIMIT_EXCEEDED` if too much waits already.
    func pass<T>(_ server: ServerName, _ body: () async throws -> T) async throws -> T {
        let isAdmitted = await withCheckedContinuation { continuation in
            let answer = queues.withLock { queues -> Bool? in
                guard let queue = queues[server] else {
                    queues[server] = Queue()
                    return true
                }
                if queue.inside < permits {
                    queues[server]?.inside += 1
                    return true
                }
                guard queue.waiting.count < maximumWaiting else { return false }
                queues[server]?.waiting.append(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
        guard isAdmitted else { throw MatrixError.limitExceeded(retryAfterMilliseconds: 2_000) }
        defer { leave(server) }
        return try await body()
    }

    private func leave(_ server: ServerName) {
        let next = queues.withLock { queues -> CheckedContinuation<Bool, Never>? in
            guard var queue = queues[server] else { return nil }
            // Whoever waits takes the place that becomes free.
            if !queue.waiting.isEmpty {
                let next = queue.waiting.removeFirst()
                queues[server] = queue
                return next
            }
            queue.inside -= 1
            queues[server] = queue.inside > 0 ? queue : nil
            return nil
        }
        next?.resume(returning: true)
    }
}
