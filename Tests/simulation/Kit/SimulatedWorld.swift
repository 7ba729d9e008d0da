import Homeserver
import Logging
import Matrix

/// The servers of a simulation, the network between them, and their time. One thread: while something happens nothing else does.
final class SimulatedWorld: @unchecked Sendable {
    /// In which order what is ready to run is run.
    struct Disorder: Sendable {
        /// How often something else than what has waited longest is run.
        var jobs = 0.0
        /// How often the databases do something although tasks are ready to run.
        var databases = 0.2
    }

    let time: SimulatedTime
    let trace: Trace
    let network: SimulatedNetwork
    let keys: SimulatedKeys
    let servers: [SimulatedServer]
    let logLevel: Logger.Level
    var disorder = Disorder()

    private let execution = SerialExecution.shared
    private var schedule: SeededGenerator
    private var processes: SeededGenerator
    private var problem: (any Error)?

    init(
        seed: UInt64, servers: [SimulatedServer], isEchoed: Bool, logLevel: Logger.Level
    ) throws {
        try execution.install()
        self.servers = servers
        self.logLevel = logLevel
        time = SimulatedTime()
        trace = Trace(time: time, isEchoed: isEchoed)
        network = SimulatedNetwork(time: time, trace: trace, generator: SeededGenerator(seed: seed, stream: 1))
        schedule = SeededGenerator(seed: seed, stream: 2)
        processes = SeededGenerator(seed: seed, stream: 3)
        keys = SimulatedKeys(keys: Dictionary(uniqueKeysWithValues: servers.map { ($0.name, $0.key) }))
    }

    /// Chance for one process of a server.
    func newGenerator() -> SeededGenerator { SeededGenerator(seed: processes.next()) }

    func server(_ name: ServerName) -> SimulatedServer? { servers.first { $0.name == name } }

    // MARK: Doing

    /// Begins something that a process does.
    func begin(_ body: @escaping @Sendable () async -> Void) { Task { await body() } }

    /// Runs what is ready until everything waits: for another server, for a time, or for nothing.
    func settle() throws {
        var steps = 0
        while true {
            steps += 1
            guard steps < 5_000_000 else { throw SimulationProblem("something goes on and on without waiting") }
            if execution.count > 0 {
                if disorder.databases > 0, schedule.chance(disorder.databases), try stepDatabases() { continue }
                let isOutOfTurn = execution.count > 1 && disorder.jobs > 0 && schedule.chance(disorder.jobs)
                execution.step(isOutOfTurn ? schedule.below(min(execution.count, 8)) : 0)
            } else if try !stepDatabases() {
                break
            }
        }
        if let problem { throw problem }
    }

    /// Lets one of the databases that have something to do do it.
    private func stepDatabases() throws -> Bool {
        let first = schedule.below(servers.count * 2)
        for offset in 0..<servers.count * 2 {
            let place = (first + offset) % (servers.count * 2)
            let server = servers[place / 2]
            if place % 2 == 0 ? server.read() : try server.write(self) { return true }
        }
        return false
    }

    /// Does something for which no time has to pass, and waits for it.
    func wait<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) throws -> T {
        let outcome = Outcome<T>()
        Task {
            do { outcome.result = .success(try await body()) } catch { outcome.result = .failure(error) }
        }
        try settle()
        guard let result = outcome.result else { throw SimulationProblem("something that needs no time never ended") }
        return try result.get()
    }

    private final class Outcome<T>: @unchecked Sendable { var result: Result<T, any Error>? }

    /// Moves on to what is due next, and lets all come of it that comes at once.
    ///
    /// - Returns: Whether anything was due by `end`.
    func step(until end: Int64 = .max) throws -> Bool {
        guard let next = time.next, next <= end else { return false }
        time.step()
        try settle()
        return true
    }

    // MARK: Servers

    /// How long a server stays down, in milliseconds.
    var downtime: ClosedRange<Int64> = 100...60_000

    /// Starts a server that has crashed after a while.
    func restartLater(_ server: SimulatedServer) {
        let delay = schedule.within(downtime)
        time.after(milliseconds: delay) { [self] in restart(server) }
    }

    /// Starts a server that is down.
    func restart(_ server: SimulatedServer) {
        guard server.process == nil else { return }
        do {
            try server.start(self)
            trace.note("\(server.name) is up again")
        } catch {
            problem = problem ?? error
        }
    }
}

/// Something that must not be.
struct SimulationProblem: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
