import ArgumentParser
import Foundation
import Matrix

/// `chappe backup …`
struct Backup: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy all that the server holds, while it runs, and check such copies.",
        subcommands: [Create.self, Verify.self], defaultSubcommand: Create.self)

    /// `chappe backup DIRECTORY`
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a backup.",
            discussion: """
                The backup is a directory: the database as of one moment, all files that it refers to, and the signing key. It is made on the \
                server's machine, by whoever may read its data directory and, if the server runs, open its socket; it holds secrets, \
                and only its owner may read it. With the configuration file, which is not in it, it is all that `chappe restore` needs.

                With --previous, files that an earlier backup has are taken from there: on the same file system they need no room.
                """)
        @OptionGroup var option: ConfigurationOption
        @OptionGroup var output: OutputOption
        @Option(help: "An earlier backup, whose files are used again.", completion: .directory) var previous: String?
        @Flag(help: "Leave the signing key out: it is kept elsewhere.") var withoutKey = false
        @Flag(help: "Check the backup when it is made.") var verify = false
        @Argument(help: "A directory that does not exist yet.", completion: .directory) var directory: String

        func run() async throws {
            let configuration = try option.load()
            let manifest: BackupManifest
            if let previous { _ = try BackupManifest(in: previous) }
            do {
                manifest = try await BackupWriter(
                    configuration: configuration, target: Backup.absolute(directory),
                    previous: previous.map { Backup.absolute($0) }, includesKey: !withoutKey
                ).write()
            } catch let error as CommandFailure { throw error } catch {
                throw CommandFailure("no backup was made: \(error)")
            }
            if verify { try Backup.check(directory) }
            output.show(manifest.json.json) {
                Terminal.print("Backup of \(manifest.serverName) in \(directory)")
                Backup.describe(manifest)
                if !manifest.hasKey { Terminal.print("The signing key is not in it: keep it elsewhere.") }
            }
        }
    }

    /// `chappe backup verify`
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check that a backup is whole: every file, and the database in it.",
            discussion: "Exit status: 0 if it is, 1 if not.")
        @OptionGroup var output: OutputOption
        @Argument(help: "The backup.", completion: .directory) var directory: String

        func run() throws {
            let (manifest, flaws) = try BackupVerifier(directory: Backup.absolute(directory)).verify()
            var result = manifest.json
            result["valid"] = .bool(flaws.isEmpty)
            result["flaws"] = .array(flaws.map { .string($0) })
            output.show(result.json) {
                Terminal.print("Backup of \(manifest.serverName) from \(Moment.text(manifest.createdTS))")
                Backup.describe(manifest)
                for flaw in flaws { Terminal.print(flaw) }
                if flaws.isEmpty { Terminal.print("It is whole.") }
            }
            guard flaws.isEmpty else { throw CommandFailure("the backup is damaged") }
        }
    }

    /// Refuses a backup that is not whole.
    static func check(_ directory: String) throws {
        let flaws = try BackupVerifier(directory: absolute(directory)).verify().flaws
        guard flaws.isEmpty else {
            throw CommandFailure((["the backup is damaged:"] + flaws).joined(separator: "\n"))
        }
    }

    static func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }

    private static func describe(_ manifest: BackupManifest) {
        let rows = manifest.tables.reduce(0) { $0 + max(0, $1.rows) }
        Terminal.print(
            "\(rows) rows in \(manifest.tables.count) tables, \(manifest.mediaFiles) files of \(manifest.mediaBytes) bytes"
        )
        for name in manifest.missing { Terminal.print("missing in the media store: \(name)") }
        for name in manifest.damaged { Terminal.print("damaged in the media store: \(name)") }
    }
}
