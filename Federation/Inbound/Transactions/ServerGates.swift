import Matrix
import Synchronization

/// Lets what a server sends happen one after the other, a few at a time waiting.
final class ServerGates: Sendable {
    /// What may wait for each server. An honest one waits for the answer before it sends the next.
    private static let maximumWaiting = 4

    private let queues = Mutex<[ServerName: [CheckedContinuation<Bool, Never>]]>([:])

    /// Does something when its turn has come.
    ///
    /// - Throws: 429 `M_LIMIT_EXCEEDED` if too much waits already.
    func alone<T>(_ server: ServerName, _ body: () async throws -> T) async throws -> T {
        let isAdmitted = await withCheckedContinuation { continuation in
            let answer = queues.withLock { queues -> Bool? in
                guard let waiting = queues[server] else {
                    queues[server] = []
                    return true
                }
                guard waiting.count < Self.maximumWaiting else { return false }
                queues[server]?.append(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
        guard isAdmitted else { throw MatrixError.limitExceeded(retryAfterMilliseconds: 2_000) }
        defer {
            let next = queues.withLock { queues -> CheckedContinuation<Bool, Never>? in
                guard queues[server]?.isEmpty == false else {
                    queues[server] = nil
                    return nil
                }
                return queues[server]?.removeFirst()
            }
            next?.resume(returning: true)
        }
        return try await body()
    }
}
