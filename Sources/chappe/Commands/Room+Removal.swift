import ArgumentParser
import Foundation
import Matrix

extension Room {
    /// `chappe room delete`
    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take all users of this server out of a room.",
            discussion: "What was said stays; `chappe room purge` removes that too.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @OptionGroup var removal: RemovalOption

        func run() throws {
            try removal.remove(
                option, output, purge: false,
                warning: { "This takes \($0["local_members"]?.int ?? 0) users of this server out of \($1)." })
        }
    }

    /// `chappe room purge`
    struct Purge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take all users of this server out of a room, and remove everything of it.",
            discussion: """
                What has been removed does not come back. Files that were sent in the room stay (`chappe media`), and so do reports. If this \
                command is interrupted the server goes on.
                """)
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @OptionGroup var removal: RemovalOption
        @Flag(help: "Remove it even if some users cannot be taken out; their clients may not notice.") var force = false

        func run() throws {
            try removal.remove(
                option, output, purge: true, force: force,
                warning: { room, name in
                    """
                    This takes \(room["local_members"]?.int ?? 0) users of this server out of \(name), and removes \
                    \(room["events"]?.int ?? 0) events for good.
                    """
                })
        }
    }
}

/// Which room is removed, and how.
struct RemovalOption: ParsableArguments {
    @OptionGroup var consent: ConsentOption
    @Argument(help: "The room ID.") var room: String
    @Flag(help: "Close it too: nobody of this server comes back.") var block = false
    @Flag(help: "Only say what would be done.") var dryRun = false

    private static let pauseMicroseconds: UInt32 = 200_000

    /// Asks, removes, and waits for the end.
    func remove(
        _ option: ServerOption, _ output: OutputOption, purge: Bool, force: Bool = false,
        warning: (_ room: JSON, _ name: String) -> String
    ) throws {
        let server = try option.server()
        let shown = try server.request("GET", Room.path(room))
        let name = [shown["room_id"]?.string, shown["name"]?.string.map { "(\($0))" }].compactMap { $0 }
            .joined(separator: " ")
        if dryRun {
            return output.show(shown) { Terminal.print("\(warning(shown, name)) Nothing was done.") }
        }
        try consent.ask(warning(shown, name), repeat: room)
        let started = try server.request(
            "DELETE", "/_synapse/admin/v2/rooms/\(AdministrationServer.segment(room))",
            body: ["block": .bool(block), "purge": .bool(purge), "force_purge": .bool(force)])
        let status = try wait(for: started["delete_id"]?.string ?? "", server)
        let outcome = status["shutdown_room"]
        let left = outcome?["kicked_users"]?.count ?? 0
        let remaining = outcome?["failed_to_kick_users"]?.elements.compactMap(\.string) ?? []
        if status["status"]?.string != "complete" {
            throw CommandFailure(status["error"]?.string ?? "the room could not be removed")
        }
        output.show(status) {
            Terminal.print("\(left) users were taken out of \(name)")
            for user in remaining { Terminal.print("\(user) could not be taken out") }
            if purge { Terminal.print("\(status["removed_events"]?.int ?? 0) events were removed") }
        }
    }

    private func wait(for id: String, _ server: AdministrationServer) throws -> JSON {
        var progress: Progress?
        var shown: Int64 = 0
        while true {
            let status = try server.request(
                "GET", "/_synapse/admin/v2/rooms/delete_status/\(AdministrationServer.segment(id))")
            if let total = status["events"]?.int, let removed = status["removed_events"]?.int {
                if progress == nil { progress = Progress("Removing events", of: Int(total)) }
                progress?.advance(by: Int(removed - shown))
                shown = removed
            }
            guard status["status"]?.string == "active" || status["status"]?.string == "scheduled" else {
                progress?.end()
                return status
            }
            usleep(Self.pauseMicroseconds)
        }
    }
}
