import ArgumentParser
import Foundation
import Matrix

/// `chappe audit …`
struct Audit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See who did what on the running server, and prove that nothing is missing.",
        subcommands: [Tail.self, Search.self, Reads.self, Verify.self, Export.self])

    private static let path = "/_chappe/admin/v1/audit"

    /// `chappe audit tail`
    struct Tail: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the latest entries.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Option(name: .shortAndLong, help: "How many.") var number = 20

        func validate() throws {
            guard (1...1_000).contains(number) else { throw ValidationError("--number is from 1 to 1000") }
        }

        func run() throws {
            let page = try option.server().request("GET", "\(Audit.path)?limit=\(number)")
            Audit.show((page["entries"]?.elements.map { $0 } ?? []).reversed(), output)
        }
    }

    /// `chappe audit search`
    struct Search: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Find entries, the oldest first.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Option(help: "Who did it: a user ID, or socket.") var actor: String?
        @Option(help: "Whom or what it was done to.") var subject: String?
        @Option(help: "What was done, or how its name begins: user.lock, user, session…") var action: String?
        @Option(help: "Not older than this day, as 2026-11-26 (UTC).") var since: String?

        func run() throws {
            var query = "limit=1000"
            for (name, value) in [("actor", actor), ("subject", subject), ("action", action)] {
                if let value { query += "&\(name)=\(AdministrationServer.segment(value))" }
            }
            if let since {
                guard let day = try? Date(since, strategy: .iso8601.year().month().day()) else {
                    throw CommandFailure("\(since) is no day, such as 2026-11-26")
                }
                query += "&since=\(Int64(day.timeIntervalSince1970 * 1_000))"
            }
            let entries = try Pages.all(try option.server(), Audit.path, "entries", query: query)
            Audit.show(entries.reversed(), output)
        }
    }

    /// `chappe audit verify`
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prove that no entry was changed or taken out.",
            discussion: """
                Exit status: 0 if all is in order, 1 if not. Keep the hash that is printed on another machine: with --expect it shows \
                later that the trail up to there is still the same.
                """
        )
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Option(help: "NUMBER:HASH as printed by an earlier run.") var expect: String?

        func run() throws {
            let server = try option.server()
            let result = try server.request("POST", "\(Audit.path)/verify", body: [:])
            let state = "\(result["entries"]?.int ?? 0):\(result["hash"]?.string ?? "")"
            output.show(result) {
                if let flaw = result["flaw"]?.string { Terminal.print("not in order: \(flaw)") }
                Terminal.print("entries in order, and the hash of the last: \(state)")
            }
            guard result["valid"]?.bool == true else { throw ExitCode(1) }
            guard let expect else { return }
            let parts = expect.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let number = Int64(parts[0]), number > 0 else {
                throw CommandFailure("--expect is NUMBER:HASH")
            }
            let page = try server.request("GET", "\(Audit.path)/export?from=\(number - 1)&limit=1")
            let entry = page["entries"]?.elements.map { $0 }.first
            guard entry?["num"]?.int == number, let hash = entry?["hash"]?.string, hash == parts[1] else {
                throw CommandFailure("entry \(number) is not what it was")
            }
        }
    }

    /// `chappe audit export`
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write all entries, one JSON object a line, with their hashes and signatures.")
        @OptionGroup var option: ServerOption
        @Option(help: "Only those after this number.") var after: Int64 = 0

        func run() throws {
            let server = try option.server()
            var next: Int64? = after
            while let from = next {
                let page = try server.request("GET", "\(Audit.path)/export?limit=1000&from=\(from)")
                for entry in page["entries"]?.elements.map({ $0 }) ?? [] {
                    Terminal.print(String(decoding: entry.bytes, as: UTF8.self))
                }
                next = page["next"]?.int
            }
        }
    }

    private static func show(_ entries: [JSON], _ output: OutputOption) {
        output.show(entries) {
            Terminal.table(
                ["TIME", "WHO", "DID", "TO", "FROM", "WHY"],
                entries.map { entry in
                    let text = entry["entry"]?.string.flatMap { try? JSON(parsing: Array($0.utf8)) }
                    return [
                        Moment.text(entry["ts"]?.int), entry["actor"]?.string ?? "", entry["action"]?.string ?? "",
                        entry["subject"]?.string ?? "", text?["address"]?.string ?? "", text?["reason"]?.string ?? "",
                    ]
                })
        }
    }
}
