import ArgumentParser
import Matrix

/// `chappe room …`
struct Room: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make, show, change and remove rooms of the running server.",
        subcommands: [
            List.self, Show.self, Members.self, Create.self, Delete.self, Purge.self, Block.self, Unblock.self,
            Admin.self, Join.self,
        ]
    )

    /// Where a room is found.
    static func path(_ room: String) -> String { "/_chappe/admin/v1/rooms/\(AdministrationServer.segment(room))" }

    /// Where Synapse's interface has a room.
    static func synapsePath(_ room: String) -> String {
        "/_synapse/admin/v1/rooms/\(AdministrationServer.segment(room))"
    }

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
            let room = try option.server().request("GET", Room.path(room))
            output.show(room) {
                Terminal.table(
                    ["ROOM", room["room_id"]?.string ?? ""],
                    [
                        ["NAME", room["name"]?.string ?? ""], ["ALIAS", room["canonical_alias"]?.string ?? ""],
                        ["VERSION", room["room_version"]?.string ?? ""], ["CREATOR", room["creator"]?.string ?? ""],
                        ["ENCRYPTED", room["encrypted"]?.bool == true ? "yes" : "no"],
                        ["CLOSED BY", room["blocked_by"]?.string ?? ""],
                        ["JOINED", String(room["joined_members"]?.int ?? 0)],
                        ["OF THIS SERVER", String(room["local_members"]?.int ?? 0)],
                        ["INVITED", String(room["invited_members"]?.int ?? 0)],
                        ["STATE EVENTS", String(room["state_events"]?.int ?? 0)],
                        ["EVENTS", String(room["events"]?.int ?? 0)],
                    ]
                )
                Terminal.print("")
                for member in room["members"]?.elements.map({ $0 }) ?? [] { Terminal.print(member.string ?? "") }
            }
        }
    }

    /// `chappe room members`
    struct Members: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List who is in a room.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "The room ID.") var room: String

        func run() throws {
            let answer = try option.server().request("GET", Room.path(room))
            let members = answer["members"]?.elements.map { $0 } ?? []
            output.show(members) { for member in members { Terminal.print(member.string ?? "") } }
        }
    }

    /// `chappe room create`
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a room for a user, who has all power in it.",
            discussion: "Only those who are invited come in, and it is encrypted, unless it is public.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "The user: a localpart or a user ID.") var creator: String
        @Option(help: "Its name.") var name: String?
        @Option(help: "What it is about.") var topic: String?
        @Option(help: "The localpart of an alias for it.") var alias: String?
        @Flag(help: "Everybody may join, and it is listed in the directory.") var `public` = false
        @Flag(help: "Do not encrypt it.") var unencrypted = false
        @Option(help: "A user to invite; may be given more than once.") var invite: [String] = []
        @Option(help: "Its version.") var roomVersion: String?

        func run() throws {
            var body: JSONValue = ["creator": .string(creator), "public": .bool(`public`)]
            if unencrypted { body["encrypted"] = false }
            if let name { body["name"] = .string(name) }
            if let topic { body["topic"] = .string(topic) }
            if let alias { body["alias"] = .string(alias) }
            if let roomVersion { body["room_version"] = .string(roomVersion) }
            if !invite.isEmpty { body["invite"] = .array(invite.map { .string($0) }) }
            let answer = try option.server().request("POST", "/_chappe/admin/v1/rooms", body: body)
            output.show(answer) { Terminal.print(answer["room_id"]?.string ?? "") }
        }
    }

    /// `chappe room block`
    struct Block: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Close a room, known here or not: nobody enters it or speaks in it any more.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The room ID.") var room: String

        func run() throws {
            _ = try option.server().request("PUT", "\(Room.synapsePath(room))/block", body: ["block": true])
        }
    }

    /// `chappe room unblock`
    struct Unblock: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Open a room again.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The room ID.") var room: String

        func run() throws {
            _ = try option.server().request("PUT", "\(Room.synapsePath(room))/block", body: ["block": false])
        }
    }

    /// `chappe room admin`
    struct Admin: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a user as much power in a room as somebody of this server has who may give it.")
        @OptionGroup var option: ServerOption
        @Argument(help: "The room: an ID or an alias.") var room: String
        @Argument(help: "The user: a localpart or a user ID.") var user: String

        func run() throws {
            let server = try option.server()
            let user = try User.id(user, of: server)
            _ = try server.request(
                "POST", "\(Room.synapsePath(room))/make_room_admin", body: ["user_id": .string(user)])
        }
    }

    /// `chappe room join`
    struct Join: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a user into a room.",
            discussion: "Where not everybody may join, with --url and the token of somebody who may invite.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "The room: an ID or an alias.") var room: String
        @Argument(help: "The user: a localpart or a user ID.") var user: String
        @Option(help: "A server that may be in the room; may be given more than once.") var via: [String] = []

        func run() throws {
            let server = try option.server()
            let user = try User.id(user, of: server)
            let query = via.map { "server_name=\(AdministrationServer.segment($0))" }.joined(separator: "&")
            let answer = try server.request(
                "POST", "/_synapse/admin/v1/join/\(AdministrationServer.segment(room))?\(query)",
                body: ["user_id": .string(user)])
            output.show(answer) { Terminal.print(answer["room_id"]?.string ?? "") }
        }
    }
}

extension User {
    /// The ID of a user who is named by a localpart or by an ID.
    static func id(_ name: String, of server: AdministrationServer) throws -> String {
        if name.hasPrefix("@") { return name }
        return try server.request("GET", path(name))["user_id"]?.string ?? name
    }
}
