import Adapters
import ArgumentParser
import Foundation
import Homeserver
import Matrix

/// `chappe init`
struct Initialize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a configuration and a signing key.",
        discussion: "Nothing that exists is overwritten."
    )

    @Option(help: "The directory for the configuration and everything the server keeps.")
    var directory = "."

    @Option(help: "Where the configuration is written; in that directory by default.", completion: .file())
    var config: String?

    @Option(help: "The part after the colon in user IDs. It can never be changed.")
    var serverName: String

    @Option(help: "Where clients reach the server from outside.")
    var publicBaseURL: String?

    @Option(help: "sqlite:FILE, or postgres://user:password@host/database.")
    var database = "sqlite:chappe.db"

    @Option(help: "The port to listen on, on 127.0.0.1.")
    var port = 8008

    func run() throws {
        guard ServerName(serverName) != nil else { throw CommandFailure("\(serverName) is no valid server name") }
        let path = URL(fileURLWithPath: directory).standardizedFileURL.path
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw CommandFailure("\(path) cannot be made: \(error.localizedDescription)")
        }
        let configurationPath =
            config.map { URL(fileURLWithPath: $0).standardizedFileURL.path } ?? "\(path)/chappe.yaml"
        if FileManager.default.fileExists(atPath: configurationPath) {
            throw CommandFailure("\(configurationPath) exists already")
        }
        let keyPath = "\(path)/signing.key"
        if !FileManager.default.fileExists(atPath: keyPath) {
            let randomness = SystemRandomness()
            guard let key = SigningKey(seed: randomness.bytes(32), version: "a_\(randomness.text(4))") else {
                throw CommandFailure("no signing key could be made")
            }
            try ServerFiles.writeSecret(key.fileLine + "\n", to: keyPath)
        }
        try ServerFiles.writeSecret(text(in: path), to: configurationPath)
        // Run by root for a directory of the server's own user, all is to be that user's.
        BackupFiles.giveAway([keyPath, configurationPath], toOwnerOf: path)
        Terminal.print("Wrote \(configurationPath) and \(keyPath).")
        Terminal.print("Start the server with: chappe serve --config \(configurationPath)")
    }

    /// Texts are quoted as JSON, which YAML reads.
    private func text(in path: String) -> String {
        func quoted(_ text: String) -> String { String(decoding: JSONValue.string(text).serialized(), as: UTF8.self) }
        return """
            # Every key is described in Deploy/chappe.example.yaml.
            server_name: \(quoted(serverName))
            public_base_url: \(quoted(publicBaseURL ?? "https://\(serverName)"))
            data_dir: \(quoted(path))
            database: \(quoted(database))
            signing_key: signing.key
            listeners:
              - {bind: 127.0.0.1, port: \(port), serves: [client, federation, admin, metrics, wellknown]}
            registration: {mode: closed}

            """
    }
}
