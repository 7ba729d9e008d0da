import ArgumentParser
import Foundation
import Matrix

/// `chappe token …`
struct Token: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Hand out registration tokens, and take them back.",
        subcommands: [Create.self, List.self, Revoke.self])

    private static let path = "/_chappe/admin/v1/tokens"

    /// `chappe token create`
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a registration token.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Option(help: "The token; else one is made.") var token: String?
        @Option(help: "How many accounts may be made with it; any number by default.") var uses: Int64?
        @Option(help: "For how many days it is valid; for good by default.") var days: Int64?

        func validate() throws {
            if let days, !(1...36_500).contains(days) { throw ValidationError("--days is from 1 to 36500") }
            if let uses, uses < 0 { throw ValidationError("--uses is 0 or more") }
        }

        func run() throws {
            var body: JSONValue = [:]
            if let token { body["token"] = .string(token) }
            if let uses { body["uses_allowed"] = .integer(uses) }
            if let days {
                body["expiry_time"] = .integer(Int64(Date().timeIntervalSince1970 * 1_000) + days * 86_400_000)
            }
            let answer = try option.server().request("POST", Token.path, body: body)
            output.show(answer) { Terminal.print(answer["token"]?.string ?? "") }
        }
    }

    /// `chappe token list`
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the registration tokens.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption

        func run() throws {
            let answer = try option.server().request("GET", Token.path)
            let tokens = answer["tokens"]?.elements.map { $0 } ?? []
            output.show(tokens) {
                Terminal.table(
                    ["TOKEN", "USED", "OF", "EXPIRES", "VALID"],
                    tokens.map { token in
                        [
                            token["token"]?.string ?? "", String(token["completed"]?.int ?? 0),
                            token["uses_allowed"]?.int.map { String($0) } ?? "any",
                            Moment.text(token["expiry_time"]?.int),
                            token["valid"]?.bool == true ? "yes" : "no",
                        ]
                    })
            }
        }
    }

    /// `chappe token revoke`
    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revoke a registration token.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The token.") var token: String

        func run() throws {
            _ = try option.server().request("DELETE", "\(Token.path)/\(AdministrationServer.segment(token))")
        }
    }
}
