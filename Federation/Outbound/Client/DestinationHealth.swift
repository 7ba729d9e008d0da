import Homeserver
import Matrix
import Store

/// Knows which servers are down. What is asked of one that is fails at once, instead of after a wait.
public protocol DestinationHealth: Sendable {
    /// Whether a server may be asked now.
    func mayAsk(_ server: ServerName) -> Bool

    /// Takes note that a server has answered, however it did.
    func noteReachable(_ server: ServerName)

    /// Takes note that a server has not answered.
    func noteUnreachable(_ server: ServerName)
}

/// Remembers in memory which servers did not answer: after the second time in a row they are left alone, for longer each time.
public final class RecentFailures: DestinationHealth {
    private struct Failures {
        var count: Int
        var lastTS: Int64
    }

    private let clock: any Clock
    private let failures = GenerationalCache<ServerName, Failures>(budget: 20_000)

    private static let shortestMilliseconds: Int64 = 10_000
    private static let longestMilliseconds: Int64 = 10 * 60_000

    /// No failures.
    public init(clock: any Clock) { self.clock = clock }

    /// Whether it has answered lately, or has not been asked for a while.
    public func mayAsk(_ server: ServerName) -> Bool {
        guard let failed = failures[server], failed.count > 1 else { return true }
        let wait = min(Self.shortestMilliseconds << Int64(min(failed.count - 2, 10)), Self.longestMilliseconds)
        let passed = clock.now - failed.lastTS
        return passed >= wait || passed < 0
    }

    /// Forgets the failures.
    public func noteReachable(_ server: ServerName) { failures.remove(server) }

    /// Counts a failure.
    public func noteUnreachable(_ server: ServerName) {
        failures.insert(server, Failures(count: (failures[server]?.count ?? 0) + 1, lastTS: clock.now))
    }
}
