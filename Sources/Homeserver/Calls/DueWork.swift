import Logging
import Synchronization

/// Does what is due when it is due: one look at a time, at the time of the next thing, which the database knows.
final class DueWork: Sendable {
    private struct State {
        /// The time for which a look is scheduled.
        var scheduled: Int64?
        var isRunning = false
        var isStopped = false
    }

    private static let longestWaitMilliseconds: Int64 = 3_600_000
    private static let retryMilliseconds: Int64 = 5_000

    private let clock: any Clock
    private let scheduler: any Scheduler
    private let logger: Logger
    private let next: @Sendable () async throws -> Int64?
    private let work: @Sendable () async throws -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - next: When the next thing is due, in milliseconds since 1970; `nil` if there is none.
    ///   - work: Does all that is due.
    init(
        clock: any Clock, scheduler: any Scheduler, logger: Logger, next: @escaping @Sendable () async throws -> Int64?,
        work: @escaping @Sendable () async throws -> Void
    ) {
        self.clock = clock
        self.scheduler = scheduler
        self.logger = logger
        self.next = next
        self.work = work
    }

    /// Takes up what was left when the server stopped.
    func resume() async throws { if let time = try await next() { schedule(at: time) } }

    /// Does nothing more.
    func stop() { state.withLock { $0.isStopped = true } }

    /// Something is due at a time, in milliseconds since 1970.
    func schedule(at time: Int64) {
        let now = clock.now
        let due = min(max(time, now), now + Self.longestWaitMilliseconds)
        let isEarlier = state.withLock { state in
            if state.isStopped { return false }
            if let scheduled = state.scheduled, scheduled <= due { return false }
            state.scheduled = due
            return true
        }
        guard isEarlier else { return }
        scheduler.after(milliseconds: due - now) { [weak self] in
            guard let self else { return }
            Task { await self.look(for: due) }
        }
    }

    /// Called at a time that was scheduled; an earlier one may have come between.
    private func look(for due: Int64) async {
        let (goesOn, isStopped) = state.withLock { state in
            if state.scheduled == due { state.scheduled = nil }
            guard !state.isRunning, !state.isStopped else { return (false, state.isStopped) }
            state.isRunning = true
            return (true, false)
        }
        if isStopped { return }
        if !goesOn { return schedule(at: clock.now + 100) }
        var time: Int64?
        do {
            try await work()
            time = try await next()
        } catch {
            logger.error("work that was due is not done", metadata: ["error": "\(error)"])
            time = clock.now + Self.retryMilliseconds
        }
        state.withLock { $0.isRunning = false }
        if let time { schedule(at: time) }
    }
}
