import Matrix
import Synchronization

/// Lets requests wait for files that are to follow.
///
/// Whoever wakes up looks into the database: an upload to another node of this server is only seen there, so no wait is long.
final class UploadArrivals: Sendable {
    private struct State {
        var waiting: [MediaReference: [UInt64: UnsafeContinuation<Void, Never>]] = [:]
        var count = 0
        var last: UInt64 = 0
    }

    /// How many requests can wait at once.
    private static let maximumWaiting = 1000
    /// How long one wait is at most, in milliseconds.
    private static let intervalMilliseconds: Int64 = 500

    private let scheduler: any Scheduler
    private let state = Mutex(State())

    init(scheduler: any Scheduler) { self.scheduler = scheduler }

    /// Waits until the file arrives or some time has passed. Answers false without waiting if too many wait already.
    func wait(for reference: MediaReference, atMost milliseconds: Int64) async -> Bool {
        let ticket = state.withLock { state -> UInt64? in
            guard state.count < Self.maximumWaiting else { return nil }
            state.count += 1
            state.last += 1
            return state.last
        }
        guard let ticket else { return false }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                state.withLock { $0.waiting[reference, default: [:]][ticket] = continuation }
                scheduler.after(milliseconds: min(milliseconds, Self.intervalMilliseconds)) { [weak self] in
                    self?.resume(reference, ticket)
                }
                if Task.isCancelled { resume(reference, ticket) }
            }
        } onCancel: {
            resume(reference, ticket)
        }
        return true
    }

    /// Wakes all who wait for a file.
    func arrived(_ reference: MediaReference) {
        let woken = state.withLock { state in
            let woken = state.waiting.removeValue(forKey: reference) ?? [:]
            state.count -= woken.count
            return woken
        }
        for continuation in woken.values { continuation.resume() }
    }

    private func resume(_ reference: MediaReference, _ ticket: UInt64) {
        let continuation = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            guard let continuation = state.waiting[reference]?.removeValue(forKey: ticket) else { return nil }
            if state.waiting[reference]?.isEmpty == true { state.waiting[reference] = nil }
            state.count -= 1
            return continuation
        }
        continuation?.resume()
    }
}
