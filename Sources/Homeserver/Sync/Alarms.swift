import Matrix
import Store
import Synchronization

/// Ends waits when their time is up: one sleeping task for all of them, where a task each would cost more memory than the rest
/// of a waiting request.
final class Alarms: Sendable {
    private struct State {
        /// Waits by the tick in which they end.
        var byTick: [Int64: [UInt64: UserNumber]] = [:]
        var isRunning = false
    }

    private let state = Mutex(State())
    private let activeUsers: ActiveUsers
    private let clock: any Clock

    init(activeUsers: ActiveUsers, clock: any Clock) {
        self.activeUsers = activeUsers
        self.clock = clock
    }

    /// A quarter of a second, in which waits are ended together.
    private static let tickMilliseconds: Int64 = 250

    private var tick: Int64 { clock.now / Self.tickMilliseconds }

    /// Ends a wait at a time, in milliseconds.
    ///
    /// - Returns: What ``cancel(id:due:)`` needs to know.
    func set(_ user: UserNumber, id: UInt64, at deadline: Int64) -> Int64 {
        let due = max(tick + 1, (deadline + Self.tickMilliseconds - 1) / Self.tickMilliseconds)
        let mustStart = state.withLock { state in
            state.byTick[due, default: [:]][id] = user
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { Task { await run() } }
        return due
    }

    func cancel(id: UInt64, due: Int64) {
        state.withLock { state in
            state.byTick[due]?[id] = nil
            if state.byTick[due]?.isEmpty ?? false { state.byTick[due] = nil }
        }
    }

    private func run() async {
        while true {
            try? await Task.sleep(for: .milliseconds(Self.tickMilliseconds))
            let now = tick
            let due = state.withLock { state -> [(UInt64, UserNumber)]? in
                if state.byTick.isEmpty {
                    state.isRunning = false
                    return nil
                }
                var due: [(UInt64, UserNumber)] = []
                for tick in state.byTick.keys where tick <= now {
                    for (id, user) in state.byTick.removeValue(forKey: tick) ?? [:] { due.append((id, user)) }
                }
                return due
            }
            guard let due else { return }
            for (id, user) in due { activeUsers.end(user, id: id) }
        }
    }
}
