import ArgumentParser
import Foundation
import Matrix

/// `chappe federation …`
struct Federation: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See how the running server gets on with others, with whom it speaks, and what they know it by.",
        subcommands: [
            Show.self, Allow.self, Deny.self, Forget.self, Queue.self, Retry.self, Test.self, RotateKey.self,
        ]
    )

    private static let path = "/_chappe/admin/v1/federation/destinations"

    /// `chappe federation queue`
    struct Queue: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the servers that are sent to, and what waits for them."
        )
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Flag(help: "Only servers for which something waits, or that could not be reached.") var waiting = false

        func run() throws {
            let all = try Pages.all(try option.server(), Federation.path, "destinations")
            let destinations = all.filter { destination in
                let counts = ["pending_events", "pending_to_device", "failures"]
                return !waiting || counts.contains { (destination[$0]?.int ?? 0) > 0 }
            }
            output.show(destinations) {
                Terminal.table(
                    ["SERVER", "EVENTS", "TO DEVICES", "FAILURES", "NEXT ATTEMPT", "LAST SUCCESS"],
                    destinations.map { destination in
                        [
                            destination["server_name"]?.string ?? "",
                            String(destination["pending_events"]?.int ?? 0),
                            String(destination["pending_to_device"]?.int ?? 0),
                            String(destination["failures"]?.int ?? 0),
                            Federation.time(destination["next_attempt_ts"]),
                            Federation.time(destination["last_success_ts"]),
                        ]
                    }
                )
            }
        }
    }

    /// `chappe federation retry`
    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Try a server now that could not be reached.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The server's name.") var server: String

        func run() throws {
            let name = AdministrationServer.segment(server)
            _ = try option.server().request("POST", "\(Federation.path)/\(name)/retry")
        }
    }

    /// `chappe federation test`
    struct Test: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find out whether a server can be reached, and where it breaks off.",
            discussion: "Exit status: 0 if it can be reached, 1 if not."
        )
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "The server's name.") var server: String

        func run() throws {
            let name = AdministrationServer.segment(server)
            let report = try option.server()
                .request("POST", "\(Federation.path)/\(name)/probe")
            output.show(report) {
                Terminal.table(
                    ["STEP", "", "RESULT"],
                    report["steps"]?.elements.map { step in
                        [
                            step["name"]?.string ?? "", step["passed"]?.bool == true ? "ok" : "failed",
                            step["detail"]?.string ?? "",
                        ]
                    } ?? []
                )
            }
            guard report["reachable"]?.bool == true else { throw ExitCode(1) }
        }
    }

    /// A time as people read it, in UTC.
    private static func time(_ milliseconds: JSON?) -> String {
        guard let milliseconds = milliseconds?.int else { return "-" }
        return Date(timeIntervalSince1970: Double(milliseconds) / 1_000).formatted(.iso8601)
    }
}
