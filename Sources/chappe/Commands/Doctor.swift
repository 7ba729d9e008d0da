import ArgumentParser
import Foundation
import Matrix

/// `chappe doctor`
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at everything that a server leans on, and say what to do about it.",
        discussion: """
            It looks at files, disk, database, certificates, names, addresses, federation, clock, mail and relays; a line each. Nothing is \
            changed, and nothing is sent to anybody but questions. Run it on the server's machine, as root or as the server's user.

            Exit status: 0 if nothing failed, 1 if something did.
            """)
    @OptionGroup var option: ConfigurationOption
    @OptionGroup var output: OutputOption
    @Option(help: "Another server's name, which is to be reached too, and whose clock is compared.") var server: String?
    @Flag(help: "Look at this machine alone.") var offline = false
    @Flag(help: "Go through all of a SQLite database, also one of more than 2 GiB.") var thorough = false

    func run() async throws {
        let configuration = try option.load()
        var peer: ServerName?
        if let server {
            peer = ServerName(server)
            if peer == nil { throw CommandFailure("\(server) is no valid server name") }
        }
        var findings: [Finding] = []
        func tell(_ new: [Finding]) {
            findings += new
            // As they come: some take a while.
            if !output.json { for finding in new { Terminal.print(finding.line) } }
        }
        tell(MachineChecks(configuration: configuration, isThorough: thorough).findings())
        if !offline {
            let network = try NetworkChecks(configuration, peer: peer)
            tell(await network.findings())
            await network.close()
            tell(await ServiceChecks(configuration: configuration).findings())
        }
        output.show(findings.map { $0.json.json }) {}
        if findings.contains(where: { $0.condition == .failed }) { throw ExitCode(1) }
    }
}
