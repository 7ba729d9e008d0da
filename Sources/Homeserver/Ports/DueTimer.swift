import Synchronization

/// Has work to do at times that are kept in the database, where a stop of the server delays it only.
protocol DueWorker: AnyObject, Sendable {
    /// When something is due next, in milliseconds since 1970; `nil` if nothing is.
    func nextDue() async throws -> Int64?
    /// Does all that is due.
    func doWhatIsDue() async throws
    /// Told that it could not be done. It is tried again.
    func couldNotDo(_ error: any Error)
}

/// Calls a worker when it is time: once at a time, and again after a failure.
final class DueTimer: Sendable {
    private struct State {
        /// The time for which a look is scheduled.
        var scheduled: Int64?
        var isRunning = false
        var isStopped = false
    }

    private let clock: any Clock
    private let scheduler: any Scheduler
    private let longestWaitMilliseconds: Int64
    private let retryMilliseconds: Int64
    private let state = Mutex(State())

    /// - Parameters:
    ///   - clock: Tells the time.
    ///   - scheduler: Calls back later.
    ///   - longestWaitMilliseconds: It is looked at least so often: what a clock that jumps, or a far-off time, costs.
    ///   - retryMilliseconds: How long it is waited after a failure.
    init(
        clock: any Clock, scheduler: any Scheduler, longestWaitMilliseconds: Int64, retryMilliseconds: Int64
    ) {
        self.clock = clock
        self.scheduler = scheduler
        self.longestWaitMilliseconds = longestWaitMilliseconds
        self.retryMilliseconds = retryMilliseconds
    }

    /// Takes up what was left when the server stopped.
    func resume(_ worker: some DueWorker) async throws {
        if let next = try await worker.nextDue() { schedule(worker, at: next) }
    }

    /// Begins no more work.
    func stop() { state.withLock { $0.isStopped = true } }

    /// Has the worker look at a time, in milliseconds since 1970, unless it looks before anyway.
    func schedule(_ worker: some DueWorker, at time: Int64) {
        let now = clock.now
        let due = min(max(time, now), now + longestWaitMilliseconds)
        let isEarlier = state.withLock { state in
            if state.isStopped { return false }
            if let scheduled = state.scheduled, scheduled <= due { return false }
            state.scheduled = due
            return true
        }
        guard isEarlier else { return }
        scheduler.after(milliseconds: due - now) { [weak self, weak worker] in
            guard let self, let worker else { return }
            Task { await self.look(worker, for: due) }
        }
    }

    /// Called at a time that was scheduled; an earlier one may have come between.
    private func look(_ worker: some DueWorker, for due: Int64) async {
        let (goesOn, isStopped) = state.withLock { state in
            if state.scheduled == due { state.scheduled = nil }
            guard !state.isRunning, !state.isStopped else { return (false, state.isStopped) }
            state.isRunning = true
            return (true, false)
        }
        if isStopped { return }
        if !goesOn { return schedule(worker, at: clock.now + 100) }
        var next: Int64?
        do {
            try await worker.doWhatIsDue()
            next = try await worker.nextDue()
        } catch {
            worker.couldNotDo(error)
            next = clock.now + retryMilliseconds
        }
        state.withLock { $0.isRunning = false }
        if let next { schedule(worker, at: next) }
    }
}
