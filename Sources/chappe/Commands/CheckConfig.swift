import ArgumentParser

/// `chappe check-config`
struct CheckConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config", abstract: "Say what is wrong with the configuration, with line and key."
    )

    @OptionGroup var option: ConfigurationOption

    func run() throws {
        let configuration = try option.load()
        let problems = ServerFiles.problems(of: configuration)
        guard problems.isEmpty else {
            throw CommandFailure(problems.map { "\(option.config): \($0)" }.joined(separator: "\n"))
        }
        do { _ = try AppServiceRegistrations.load(configuration) } catch { throw CommandFailure(error.description) }
        Terminal.print("The configuration is valid.")
    }
}
