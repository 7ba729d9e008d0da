import ArgumentParser
import Foundation
import Logging
import SimulationKit

/// `chappe-sim`: homeservers, their users and a bad network, all in one process and all from one number.
@main
struct ChappeSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chappe-sim",
        abstract: "Simulates homeservers over a bad network, and checks that they come to the same.",
        discussion: "The same seed gives the same simulation. Exit status 0: all is well; 1: something must not be.")

    private static let usualServers = 4
    private static let usualSteps = 200

    @Option(help: "The seed, or a range of seeds: 7 or 1..100.") var seed: String?
    @Option(help: "A file of seeds, one a line, perhaps with servers and steps; # begins a comment.") var fixtures:
        String?
    @Option(help: "How many servers there are.") var servers = ChappeSim.usualServers
    @Option(help: "How many things users do.") var steps = ChappeSim.usualSteps
    @Flag(help: "Print what happens as it happens.") var trace = false
    @Flag(help: "Simulate each seed twice, and check that the same has happened.") var twice = false
    @Flag(help: "Fail whatever comes of it: this is for testing the command.") var fail = false
    @Option(help: "What the servers log: trace to critical.") var log = "critical"

    private struct Run {
        let seed: UInt64
        let servers: Int
        let steps: Int

        /// What shows it again.
        var command: String {
            "make sim SEED=\(seed)" + (servers == ChappeSim.usualServers ? "" : " SERVERS=\(servers)")
                + (steps == ChappeSim.usualSteps ? "" : " STEPS=\(steps)")
        }
    }

    func run() throws {
        try Self.hashTheSameEachTime()
        var failed: [Run] = []
        let runs = try runs()
        for run in runs { if try !simulate(run) { failed.append(run) } }
        if runs.count > 1 { print("\(runs.count) seeds, \(failed.count) failed") }
        guard !failed.isEmpty else { return }
        print("to see what happens:")
        for run in failed.prefix(20) { print("  \(run.command) TRACE=1") }
        throw ExitCode(1)
    }

    private func runs() throws -> [Run] {
        if let fixtures {
            return try String(contentsOfFile: fixtures, encoding: .utf8).split(separator: "\n").compactMap { line in
                let words = line.prefix { $0 != "#" }.split(separator: " ")
                guard let first = words.first else { return nil }
                guard let seed = UInt64(first) else { throw ValidationError("\(first) is no seed") }
                return Run(
                    seed: seed, servers: words.count > 1 ? Int(words[1]) ?? servers : servers,
                    steps: words.count > 2 ? Int(words[2]) ?? steps : steps)
            }
        }
        let seed = seed ?? "1"
        let ends = seed.split(separator: "..").map { UInt64($0) }
        guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first <= last else {
            throw ValidationError("\(seed) is no seed and no range of seeds")
        }
        return (first...last).map { Run(seed: $0, servers: servers, steps: steps) }
    }

    private func simulate(_ run: Run) throws -> Bool {
        let report = try once(run)
        var problems = report.problems
        if fail { problems.append("it was to fail") }
        if twice {
            let again = try once(run)
            if again.hash != report.hash {
                let place = zip(report.trace, again.trace).enumerated().first { $0.element.0 != $0.element.1 }
                problems.append(
                    "the second time something else has happened: "
                        + (place.map { "\($0.element.0) | \($0.element.1)" } ?? "more or less"))
            }
        }
        let hash = String(report.hash, radix: 16)
        guard !problems.isEmpty else {
            print(
                "seed \(run.seed): \(report.acknowledgedCount) acknowledged, \(report.eventCount) events, trace \(hash)"
            )
            return true
        }
        print("seed \(run.seed) FAILED, trace \(hash)")
        for problem in problems.prefix(20) { print("  \(problem)") }
        return false
    }

    private func once(_ run: Run) throws -> SimulationReport {
        // In memory where there is such a place: what survives a loss of power is not what is simulated.
        let base = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        let directory = "\(base)/chappe-sim-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        return try Simulation(
            seed: run.seed, servers: run.servers, steps: run.steps, directory: directory, isEchoed: trace,
            logLevel: Logger.Level(rawValue: log) ?? .critical
        ).run()
    }

    /// Sets and dictionaries have a random order in each process, unless the environment says otherwise when it starts.
    private static func hashTheSameEachTime() throws {
        let name = "SWIFT_DETERMINISTIC_HASHING"
        guard ProcessInfo.processInfo.environment[name] != "1" else { return }
        setenv(name, "1", 1)
        let arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        execv("/proc/self/exe", arguments)
        throw SimulationFailure("the command could not start itself again")
    }
}

struct SimulationFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
