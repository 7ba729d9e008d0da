import ArgumentParser
import Matrix

extension Federation {
    private static let rules = "/_chappe/admin/v1/federation/rules"

    /// `chappe federation allow`
    struct Allow: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Speak with servers from now on, beside those that the configuration allows.",
            discussion: "It holds at once and stays after a restart. What the configuration denies stays denied.")
        @OptionGroup var option: ServerOption
        @Argument(help: "A server's name, or *. and a domain for all below it.") var servers: String

        func run() throws { try Federation.say(option, servers, isAllowed: true) }
    }

    /// `chappe federation deny`
    struct Deny: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Speak with servers no more, whatever the configuration allows.",
            discussion: "It holds at once, for what comes in and what goes out, and stays after a restart.")
        @OptionGroup var option: ServerOption
        @Argument(help: "A server's name, or *. and a domain for all below it.") var servers: String

        func run() throws { try Federation.say(option, servers, isAllowed: false) }
    }

    /// `chappe federation forget`
    struct Forget: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take back what was said with allow or deny.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The server's name, or *. and a domain, as it was given.") var servers: String

        func run() throws {
            _ = try option.server().request("DELETE", "\(Federation.rules)/\(AdministrationServer.segment(servers))")
        }
    }

    /// `chappe federation show`
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show which servers are spoken with.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption

        func run() throws {
            let answer = try option.server().request("GET", Federation.rules)
            output.show(answer) {
                Terminal.print("All others: \(answer["mode"]?.string == "open" ? "allowed" : "denied")")
                Terminal.table(
                    ["SERVERS", "", "BY", "SINCE"],
                    answer["rules"]?.elements.map { rule in
                        [
                            rule["pattern"]?.string ?? "", rule["allowed"]?.bool == true ? "allowed" : "denied",
                            rule["added_by"]?.string ?? "configuration", Moment.text(rule["added_ts"]?.int),
                        ]
                    } ?? [])
            }
        }
    }

    private static func say(_ option: ServerOption, _ servers: String, isAllowed: Bool) throws {
        _ = try option.server().request(
            "POST", rules, body: ["pattern": .string(servers), "allowed": .bool(isAllowed)])
    }
}
