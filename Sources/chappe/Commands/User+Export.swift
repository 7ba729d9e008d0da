import ArgumentParser
import Foundation
import Matrix

extension User {
    /// `chappe user export`
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write out all that is kept of a user.",
            discussion: """
                One JSON object a line, each with its part: account (with profile and addresses), devices, rooms, account_data, pushers, \
                media (the list of uploaded files), events (what the user has sent, as it is kept: encrypted messages stay encrypted). \
                With --directory, a file for each part. Passwords, tokens and keys are left out. All events of the server are gone \
                through, which takes a while on a large one.
                """)
        @OptionGroup var option: ServerOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String
        @Option(help: "A new directory to write to, a file for each part.") var directory: String?

        private static let parts = ["account", "devices", "rooms", "account_data", "pushers", "media", "events"]

        func run() throws {
            let server = try option.server()
            // Before a directory is made for somebody who is not there.
            _ = try server.request("GET", User.path(name))
            if let directory {
                do {
                    try FileManager.default.createDirectory(
                        atPath: directory, withIntermediateDirectories: false,
                        attributes: [.posixPermissions: 0o700])
                } catch {
                    throw CommandFailure("\(directory) cannot be made: it must not be there, and its parent must")
                }
            }
            var counts: [String] = []
            for part in Self.parts {
                var count = 0
                let file = try directory.map { try Self.open("\($0)/\(part).jsonl") }
                try Self.forEach(of: part, of: name, server) { item in
                    count += 1
                    var line = item.value
                    if file == nil { line["part"] = .string(part) }
                    let text = line.serialized() + [UInt8(ascii: "\n")]
                    (file ?? .standardOutput).write(Data(text))
                }
                try file?.close()
                counts.append("\(count) \(part)")
            }
            if directory != nil { Terminal.print(counts.joined(separator: ", ")) }
        }

        private static func open(_ path: String) throws -> FileHandle {
            guard
                FileManager.default.createFile(
                    atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
                let file = FileHandle(forWritingAtPath: path)
            else { throw CommandFailure("\(path) cannot be written") }
            return file
        }

        private static func forEach(
            of part: String, of name: String, _ server: AdministrationServer, _ body: (JSON) -> Void
        ) throws {
            var from: Int64? = 0
            while let position = from {
                let page = try server.request("GET", "\(User.path(name))/export/\(part)?from=\(position)")
                for item in page["items"]?.elements.map({ $0 }) ?? [] { body(item) }
                from = page["next"]?.int
            }
        }
    }
}
