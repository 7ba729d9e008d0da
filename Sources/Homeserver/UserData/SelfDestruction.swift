import Logging
import Matrix
import Store
import Synchronization

/// Empties messages at the time that they name themselves.
///
/// [MSC2228](https://github.com/matrix-org/matrix-spec-proposals/pull/2228). What is due is in the database, written with the message:
/// a stop of the server delays it only. Clients that have the message already are expected to do the same.
public final class SelfDestruction: Sendable {
    private struct State {
        /// The time for which a look is scheduled.
        var scheduled: Int64?
        var isRunning = false
    }

    private static let page = 100
    /// What a clock that jumps, or a far-off time, costs: one look a day.
    private static let longestWaitMilliseconds: Int64 = 86_400_000
    private static let retryMilliseconds: Int64 = 10_000

    private let store: Store
    private let clock: any Clock
    private let scheduler: any Scheduler
    private let logger: Logger
    private let state = Mutex(State())

    /// Follows the journal from now on.
    public init(store: Store, clock: any Clock, scheduler: any Scheduler, logger: Logger) {
        self.store = store
        self.clock = clock
        self.scheduler = scheduler
        self.logger = logger
        store.journal.listen { [weak self] entries in
            for entry in entries {
                guard case .event(let event, _) = entry.change, let time = event.event.expiresAt else { continue }
                self?.schedule(at: time)
            }
        }
    }

    /// Takes up what was left when the server stopped.
    public func resume() async throws {
        if let next = try await store.read({ try $0.expiringEvents.next() }) { schedule(at: next) }
    }

    private func schedule(at time: Int64) {
        let now = clock.now
        let due = min(max(time, now), now + Self.longestWaitMilliseconds)
        let isEarlier = state.withLock { state in
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
        let goesOn = state.withLock { state in
            if state.scheduled == due { state.scheduled = nil }
            guard !state.isRunning else { return false }
            state.isRunning = true
            return true
        }
        if !goesOn { return schedule(at: clock.now + 1_000) }
        var next: Int64?
        do {
            while try await expirePage() {}
            next = try await store.read { try $0.expiringEvents.next() }
        } catch {
            logger.error("messages not emptied", metadata: ["error": "\(error)"])
            next = clock.now + Self.retryMilliseconds
        }
        state.withLock { $0.isRunning = false }
        if let next { schedule(at: next) }
    }

    /// - Returns: Whether there may be more.
    private func expirePage() async throws -> Bool {
        let now = clock.now
        return try await store.write { writer in
            let due = try writer.read.expiringEvents.due(at: now, limit: Self.page)
            for number in due {
                guard let event = try writer.read.events.event(number), event.redactedBy == nil else {
                    try writer.expiringEvents.forget(number)
                    continue
                }
                try writer.expiringEvents.expire(event, to: try event.event.redacted())
            }
            return due.count == Self.page
        }
    }
}
