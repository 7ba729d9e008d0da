import ArgumentParser

/// The command line.
@main
struct Chappe: AsyncParsableCommand {
    /// The version of this program.
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "chappe",
        abstract: "A Matrix homeserver.",
        discussion: "Exit status: 0 done, 1 refused or failed, 2 wrong usage.",
        version: Chappe.version,
        subcommands: [
            Initialize.self, Serve.self, CheckConfig.self, User.self, Room.self, Media.self, Report.self, Token.self,
            Federation.self, Notice.self, Call.self, Audit.self, Backup.self, Restore.self, Doctor.self,
            AppServiceCommand.self,
        ]
    )

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asyncCommand = command as? any AsyncParsableCommand {
                try await asyncCommand.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            Terminal.error(failure.message)
            exit(withError: ExitCode(1))
        } catch let error as ConfigurationError {
            Terminal.error("\(error)")
            exit(withError: ExitCode(1))
        } catch {
            // Wrong usage, requests for help, and what nobody expected.
            let code = exitCode(for: error)
            guard code == .validationFailure else { exit(withError: error) }
            Terminal.error(fullMessage(for: error))
            exit(withError: ExitCode(2))
        }
    }
}

/// A command that could not do what was asked: a sentence for whoever asked.
struct CommandFailure: Error {
    let message: String

    init(_ message: String) { self.message = message }
}

/// The option that all commands share.
struct ConfigurationOption: ParsableArguments {
    @Option(name: .shortAndLong, help: "The configuration file.")
    var config = "/etc/chappe/chappe.yaml"

    /// The configuration, checked.
    func load() throws -> Configuration {
        try Configuration.load(config, environment: Terminal.environment)
    }
}
