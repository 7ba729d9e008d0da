import ArgumentParser
import Matrix

/// `chappe room …`
struct Room: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show rooms of the running server.", subcommands: [List.self, Show.self]
    )

    /// `chappe room list`
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List rooms.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption

        func run() throws {
            let rooms = try Pages.all(try option.server(), "/_chappe/admin/v1/rooms", "rooms")
            output.show(rooms) {
                Terminal.table(
                    ["ROOM", "NAME", "VERSION", "JOINED", "ENCRYPTED"],
                    rooms.map { room in
                        [
                            room["room_id"]?.string ?? "",
                            room["name"]?.string ?? room["canonical_alias"]?.string ?? "",
                            room["room_version"]?.string ?? "", String(room["joined_members"]?.int ?? 0),
                            room["encrypted"]?.bool == true ? "yes" : "no",
                        ]
                    }
                )
            }
        }
    }

    /// `chappe room show`
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a room and who is in it.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "The room ID.") var room: String

        func run() throws {
            let room = try option.server()
                .request("GET", "/_chappe/admin/v1/rooms/\(AdministrationServer.segment(room))")
            output.show(room) {
                Terminal.table(
                    ["ROOM", room["room_id"]?.string ?? ""],
                    [
                        ["NAME", room["name"]?.string ?? ""], ["ALIAS", room["canonical_alias"]?.string ?? ""],
                        ["VERSION", room["room_version"]?.string ?? ""], ["CREATOR", room["creator"]?.string ?? ""],
                        ["ENCRYPTED", room["encrypted"]?.bool == true ? "yes" : "no"],
                        ["JOINED", String(room["joined_members"]?.int ?? 0)],
                        ["INVITED", String(room["invited_members"]?.int ?? 0)],
                        ["STATE EVENTS", String(room["state_events"]?.int ?? 0)],
                    ]
                )
                Terminal.print("")
                for member in room["members"]?.elements.map({ $0 }) ?? [] { Terminal.print(member.string ?? "") }
            }
        }
    }
}
