import ArgumentParser
import Matrix

extension User {
    /// `chappe user validity …`
    struct Validity: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "See until when accounts are valid, and renew them.",
            discussion: "Where the configuration's accounts.validity lets accounts end.",
            subcommands: [Show.self, Set.self, Renew.self])

        /// `chappe user validity show`
        struct Show: ParsableCommand {
            static let configuration = CommandConfiguration(abstract: "Show until when an account is valid.")
            @OptionGroup var option: ServerOption
            @OptionGroup var output: OutputOption
            @Argument(help: "The user: a localpart or a user ID.") var name: String

            func run() throws {
                let validity = try option.server().request("GET", "\(User.path(name))/validity")
                output.show(validity) {
                    let end = validity["expires_ts"]?.int
                    let state =
                        validity["exempt"]?.bool == true
                        ? "exempt" : validity["expired"]?.bool == true ? "ended" : "valid"
                    Terminal.table(
                        ["USER", validity["user_id"]?.string ?? ""],
                        [
                            ["STATE", state], ["UNTIL", end == nil ? "for ever" : Moment.text(end)],
                            ["MAILS", validity["renewal_mails"]?.bool == true ? "yes" : "no"],
                        ])
                }
            }
        }

        /// `chappe user validity set`
        struct Set: ParsableCommand {
            static let configuration = CommandConfiguration(abstract: "Set when an account ends.")
            @OptionGroup var option: ServerOption
            @OptionGroup var output: OutputOption
            @Argument(help: "The user: a localpart or a user ID.") var name: String
            @Option(help: "When it ends, as 2026-11-26 or 2026-11-26T18:30:00Z.") var until: String?
            @Flag(help: "It does not end.") var forever = false
            @Flag(help: "Do not remind the user by mail.") var noMail = false

            func validate() throws {
                guard (until == nil) == forever else { throw ValidationError("Give --until or --forever") }
            }

            func run() throws {
                let end: JSONValue = try until.map { .integer(try Moment.parse($0)) } ?? .null
                try Validity.send(option, output, name, ["expires_ts": end, "renewal_mails": .bool(!noMail)])
            }
        }

        /// `chappe user validity renew`
        struct Renew: ParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Renew an account: it is valid for a whole period from now.")
            @OptionGroup var option: ServerOption
            @OptionGroup var output: OutputOption
            @Argument(help: "The user: a localpart or a user ID.") var name: String
            @Flag(help: "Do not remind the user by mail before it ends.") var noMail = false

            func run() throws { try Validity.send(option, output, name, ["renewal_mails": .bool(!noMail)]) }
        }

        private static func send(
            _ option: ServerOption, _ output: OutputOption, _ name: String, _ body: JSONValue
        ) throws {
            let answer = try option.server().request("POST", "\(User.path(name))/validity", body: body)
            output.show(answer) {
                let end = answer["expires_ts"]?.int
                Terminal.print(end == nil ? "valid for ever" : "valid until \(Moment.text(end))")
            }
        }
    }
}
