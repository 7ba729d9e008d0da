import ArgumentParser
import Foundation
import Matrix

/// `chappe media …`
struct Media: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List, put away and remove files.",
        subcommands: [List.self, Quarantine.self, Purge.self, Usage.self])

    /// `chappe media list`
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the files of a user, or those that events of a room name.",
            discussion: "What is named in encrypted events the server cannot know.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Option(help: "What this user has uploaded: a localpart or a user ID.") var user: String?
        @Option(help: "What events of this room name: a room ID.") var room: String?

        func validate() throws {
            guard (user == nil) != (room == nil) else { throw ValidationError("give --user or --room") }
        }

        func run() throws {
            let server = try option.server()
            if let room {
                let answer = try server.request(
                    "GET", "/_synapse/admin/v1/room/\(AdministrationServer.segment(room))/media")
                return output.show(answer) {
                    for kind in ["local", "remote"] {
                        for file in answer[kind]?.elements.map({ $0 }) ?? [] { Terminal.print(file.string ?? "") }
                    }
                }
            }
            let id = try User.id(user ?? "", of: server)
            let files = try Pages.all(
                server, "/_synapse/admin/v1/users/\(AdministrationServer.segment(id))/media", "media")
            let home = id.drop { $0 != ":" }.dropFirst()
            output.show(files) {
                Terminal.table(
                    ["FILE", "BYTES", "TYPE", "UPLOADED", "NAME", "STATE"],
                    files.map { file in
                        [
                            "mxc://\(home)/\(file["media_id"]?.string ?? "")", String(file["media_length"]?.int ?? 0),
                            file["media_type"]?.string ?? "", Moment.text(file["created_ts"]?.int),
                            file["upload_name"]?.string ?? "",
                            file["quarantined_by"]?.string.map { "put away by \($0)" }
                                ?? (file["safe_from_quarantine"]?.bool == true ? "protected" : ""),
                        ]
                    })
            }
        }
    }

    /// `chappe media quarantine`
    struct Quarantine: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put files away, so that nobody gets them; or bring them back.",
            discussion: "Of the files of a user or a room those that are protected stay.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "Files: mxc://server/name.") var files: [String] = []
        @Option(help: "All that this user has uploaded: a localpart or a user ID.") var user: String?
        @Option(help: "All that events of this room name: a room ID.") var room: String?
        @Flag(help: "Bring the files back.") var undo = false

        func validate() throws {
            let ways = [!files.isEmpty, user != nil, room != nil].count { $0 }
            guard ways == 1 else { throw ValidationError("give files, or --user, or --room") }
            if undo, files.isEmpty { throw ValidationError("--undo takes files") }
            for file in files { _ = try MediaName(file) }
        }

        func run() throws {
            let server = try option.server()
            var count: Int64 = 0
            if let user {
                let id = AdministrationServer.segment(try User.id(user, of: server))
                count = try put("/_synapse/admin/v1/user/\(id)/media/quarantine", server)
            } else if let room {
                let id = AdministrationServer.segment(room)
                count = try put("/_synapse/admin/v1/room/\(id)/media/quarantine", server)
            }
            for file in files {
                let name = try MediaName(file)
                _ = try server.request(
                    "POST", "/_synapse/admin/v1/media/\(undo ? "unquarantine" : "quarantine")/\(name.segments)",
                    body: [:])
                count += 1
            }
            output.show((["files": .integer(count)] as JSONValue).json) {
                Terminal.print("\(count) files \(undo ? "brought back" : "put away")")
            }
        }

        private func put(_ path: String, _ server: AdministrationServer) throws -> Int64 {
            try server.request("POST", path, body: [:])["num_quarantined"]?.int ?? 0
        }
    }

    /// `chappe media purge`
    struct Purge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete files of this server, or copies of other servers' files.",
            discussion: "Whoever asks for a file of another server later gets it anew. Those that were put away stay.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @OptionGroup var consent: ConsentOption
        @Argument(help: "Files of this server: mxc://server/name.") var files: [String] = []
        @Option(help: "All copies of other servers' files that were fetched longer ago, in days.") var days: Int64?
        @Flag(help: "Only say what would be done.") var dryRun = false

        func validate() throws {
            guard files.isEmpty != (days == nil) else { throw ValidationError("give files, or --days") }
            if let days, !(0...36_500).contains(days) { throw ValidationError("--days is from 0 to 36500") }
            for file in files { _ = try MediaName(file) }
        }

        func run() throws {
            let server = try option.server()
            if let days { return try purgeCopies(days, server) }
            let warning = "This deletes \(files.count) files for good."
            if dryRun {
                for file in files {
                    _ = try server.request("GET", "/_synapse/admin/v1/media/\(try MediaName(file).segments)")
                }
                return show(0, "\(warning) Nothing was done.")
            }
            try consent.ask(warning, repeat: "yes")
            var progress = Progress("Deleting files", of: files.count)
            for file in files {
                _ = try server.request("DELETE", "/_synapse/admin/v1/media/\(try MediaName(file).segments)")
                progress.advance(by: 1)
            }
            progress.end()
            show(Int64(files.count), "\(files.count) files were deleted")
        }

        private func purgeCopies(_ days: Int64, _ server: AdministrationServer) throws {
            let before = Int64(Date().timeIntervalSince1970 * 1_000) - days * 86_400_000
            let found = try server.request("GET", "/_chappe/admin/v1/media/remote?before_ts=\(before)")
            let warning =
                "This deletes copies of \(found["files"]?.int ?? 0) files of other servers, \(found["bytes"]?.int ?? 0) bytes."
            if dryRun { return output.show(found) { Terminal.print("\(warning) Nothing was done.") } }
            try consent.ask(warning, repeat: "yes")
            let answer = try server.request(
                "POST", "/_synapse/admin/v1/purge_media_cache?before_ts=\(before)", body: [:])
            let count = answer["deleted"]?.int ?? 0
            show(count, "\(count) copies were deleted")
        }

        private func show(_ count: Int64, _ text: String) {
            output.show((["files": .integer(count)] as JSONValue).json) { Terminal.print(text) }
        }
    }

    /// `chappe media usage`
    struct Usage: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Say how much each user has uploaded, most first.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption

        func run() throws {
            let users = try Pages.all(
                try option.server(), "/_synapse/admin/v1/statistics/users/media", "users",
                query: "limit=1000&order_by=media_length&dir=b")
            output.show(users) {
                Terminal.table(
                    ["USER", "FILES", "BYTES"],
                    users.map { user in
                        [
                            user["user_id"]?.string ?? "", String(user["media_count"]?.int ?? 0),
                            String(user["media_length"]?.int ?? 0),
                        ]
                    })
            }
        }
    }
}

/// A file's name, `mxc://server/name`.
private struct MediaName {
    /// As a part of a path.
    let segments: String

    init(_ uri: String) throws {
        let parts =
            uri.hasPrefix("mxc://") ? uri.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false) : []
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
            throw ValidationError("\(uri) is no file: mxc://server/name")
        }
        segments = parts.map { AdministrationServer.segment(String($0)) }.joined(separator: "/")
    }
}
