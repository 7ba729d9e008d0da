import Logging
import Matrix
import Store

/// Empties messages at the time that they name themselves.
///
/// [MSC2228](https://github.com/matrix-org/matrix-spec-proposals/pull/2228). What is due is in the database, written with the message:
/// a stop of the server delays it only. Clients that have the message already are expected to do the same.
public final class SelfDestruction: DueWorker {
    private static let page = 100
    /// What a clock that jumps, or a far-off time, costs: one look a day.
    private static let longestWaitMilliseconds: Int64 = 86_400_000
    private static let retryMilliseconds: Int64 = 10_000

    private let store: Store
    private let clock: any Clock
    private let timer: DueTimer
    private let logger: Logger

    /// Follows the journal from now on.
    public init(store: Store, clock: any Clock, scheduler: any Scheduler, logger: Logger) {
        self.store = store
        self.clock = clock
        timer = DueTimer(
            clock: clock, scheduler: scheduler, longestWaitMilliseconds: Self.longestWaitMilliseconds,
            retryMilliseconds: Self.retryMilliseconds)
        self.logger = logger
        store.journal.listen { [weak self] entries in
            for entry in entries {
                guard case .event(let event, _) = entry.change, let time = event.event.expiresAt, let self else {
                    continue
                }
                timer.schedule(self, at: time)
            }
        }
    }

    /// Takes up what was left when the server stopped.
    public func resume() async throws { try await timer.resume(self) }

    func nextDue() async throws -> Int64? { try await store.read { try $0.expiringEvents.next() } }

    func doWhatIsDue() async throws { while try await expirePage() {} }

    func couldNotDo(_ error: any Error) {
        logger.error("messages not emptied", metadata: ["error": "\(error)"])
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
