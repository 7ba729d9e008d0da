import ArgumentParser
import Foundation
import Matrix

/// `chappe restore`
struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put a backup where the configuration says that the server's data are.",
        discussion: """
            The backup is checked first. It may be of either database engine, whichever the configuration names: so a server also moves from \
            SQLite to PostgreSQL and back. The server must not run.

            What happened after the backup is undone: accounts that were locked since then are open again, passwords and sessions are those of \
            then. Clients go on with their sessions; their one-time keys are made anew.
            """)
    @OptionGroup var option: ConfigurationOption
    @OptionGroup var output: OutputOption
    @OptionGroup var consent: ConsentOption
    @Flag(help: "Replace what is there. Files are set aside, tables of PostgreSQL are dropped.") var force = false
    @Flag(help: "Only check the backup, and whether it can be restored.") var dryRun = false
    @Argument(help: "The backup.", completion: .directory) var directory: String

    func run() async throws {
        let configuration = try option.load()
        let path = Backup.absolute(directory)
        let manifest = try BackupManifest(in: path)
        let restorer = Restorer(configuration: configuration, directory: path, manifest: manifest)
        let found = try restorer.check()
        guard found.isEmpty || force else {
            throw CommandFailure(
                "\(found.joined(separator: "; ")): give --force to replace that. Nothing was done.")
        }
        try Backup.check(path)
        var result: JSONValue = [
            "server_name": .string(manifest.serverName.string), "created_ts": .integer(manifest.createdTS),
            "replaced": .array(found.map { .string($0) }), "dry_run": .bool(dryRun),
        ]
        if dryRun {
            return output.show(result.json) {
                Terminal.print("The backup of \(Moment.text(manifest.createdTS)) can be restored.")
                for thing in found { Terminal.print("It would be replaced: \(thing)") }
            }
        }
        if !found.isEmpty {
            try consent.ask(
                "\(found.joined(separator: "; ")), and will be replaced.", repeat: configuration.serverName.string)
        }
        let report = try await restorer.restore()
        result["position"] = .integer(report.position.rawValue)
        result["one_time_keys"] = .integer(Int64(report.oneTimeKeys))
        result["delayed_events"] = .integer(Int64(report.delayedEvents))
        output.show(result.json) {
            Terminal.print("Restored \(manifest.serverName) as of \(Moment.text(manifest.createdTS)).")
            Terminal.print("What was done since then has to be done again: locks, passwords, ended sessions.")
        }
    }
}
