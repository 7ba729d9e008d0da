import Foundation
import Testing

/// The seeds that are simulated each time: some of each kind, and those that once failed.
///
/// A simulation needs a process of its own, since it decides for the whole process what runs when.
@Suite("Simulated federations", .serialized)
struct SeedTests {
    /// A line of `Tests/simulation/seeds.txt`: a seed, and perhaps how many servers and steps.
    static let seeds: [String] = {
        let text = (try? String(contentsOf: root.appending(path: "Tests/simulation/seeds.txt"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map { $0.prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }
    }()

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test("There are seeds")
    func thereAreSeeds() {
        #expect(Self.seeds.count >= 10)
    }

    @Test("All servers come to the same", arguments: seeds)
    func converges(_ line: String) async throws {
        let (status, output) = try await Self.simulate(line)
        // The command to repeat it is part of what it prints.
        #expect(status == 0, "\(output)")
    }

    @Test("The same seed is the same simulation, within a process and in another")
    func isRepeatable() async throws {
        let line = try #require(Self.seeds.first)
        let first = try await Self.simulate(line, "--twice")
        let second = try await Self.simulate(line)
        #expect(first.status == 0, "\(first.output)")
        #expect(first.output == second.output)
        #expect(first.output.contains("trace "))
        let other = try await Self.simulate("987654321 2 20")
        #expect(other.output != first.output)
    }

    @Test("What goes wrong is told, with the command that shows it again")
    func tellsFailures() async throws {
        let (status, output) = try await Self.simulate("3 2 20", "--fail")
        #expect(status == 1)
        #expect(output.contains("make sim SEED=3 SERVERS=2 STEPS=20"), "\(output)")
    }

    private static func simulate(_ line: String, _ flags: String...) async throws -> (status: Int32, output: String) {
        let words = line.split(separator: " ").map(String.init)
        let names = ["--seed", "--servers", "--steps"]
        let process = Process()
        process.executableURL = root.appending(path: ".build/debug/chappe-sim")
        process.arguments = zip(names, words).flatMap { [$0, $1] } + flags
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        return try await withCheckedThrowingContinuation { continuation in
            // A thread of its own: it waits for the whole simulation.
            Thread.detachNewThread {
                do {
                    try process.run()
                    let output = pipe.fileHandleForReading.readDataToEndOfFile()
                    process.waitUntilExit()
                    continuation.resume(
                        returning: (process.terminationStatus, String(decoding: output, as: UTF8.self)))
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
    }
}
