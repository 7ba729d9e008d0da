import ArgumentParser
import Matrix

extension User {
    /// `chappe user shadow-ban`
    struct ShadowBan: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "shadow-ban", abstract: "Have an account speak to nobody, or be heard again.",
            discussion: """
                What the user does is answered as if it had been done: messages, invitations, entering rooms. Nobody hears of it. The \
                user may leave rooms, and reads as before. For spammers who would come back under another name; lock or suspend \
                everybody else.
                """)
        @OptionGroup var option: ServerOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String
        @Flag(help: "The account is heard again.") var revoke = false

        func run() throws { try UserChange.send(option, name, ["shadow_banned": .bool(!revoke)]) }
    }

    /// `chappe user rate-limit`
    struct RateLimit: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rate-limit",
            abstract: "Show or set how often a user may send, invite, join and make rooms.",
            discussion: "Without options it shows what takes the place of the configured limits for this user.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String
        @Option(help: "How often a second in the long run; 0 for no limit.") var perSecond: Int?
        @Option(help: "How often at once.") var burst = 1
        @Flag(help: "The configured limits hold again.") var reset = false

        func validate() throws {
            if reset, perSecond != nil { throw ValidationError("Give --per-second or --reset") }
            guard (0...1_000_000).contains(perSecond ?? 0), (0...1_000_000).contains(burst) else {
                throw ValidationError("--per-second and --burst are from 0 to 1000000")
            }
        }

        func run() throws {
            let server = try option.server()
            let path = "\(User.path(name))/rate_limit"
            if let perSecond {
                let body: JSONValue = ["per_second": .integer(Int64(perSecond)), "burst": .integer(Int64(burst))]
                _ = try server.request("POST", path, body: body)
                return
            }
            if reset {
                _ = try server.request("POST", path, body: [:])
                return
            }
            let limit = try server.request("GET", path)
            output.show(limit) {
                guard let perSecond = limit["per_second"]?.int else { return Terminal.print("as configured") }
                Terminal.print(
                    perSecond == 0 ? "no limit" : "\(perSecond) a second, \(limit["burst"]?.int ?? 0) at once")
            }
        }
    }
}
