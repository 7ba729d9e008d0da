import ArgumentParser
import Matrix

/// `chappe call …`
struct Call: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start, show and end rooms' calls at conference services.",
        subcommands: [Start.self, Show.self, End.self])

    private static func path(_ room: String, _ service: String?) -> String {
        let path = "/_chappe/admin/v1/rooms/\(AdministrationServer.segment(room))/call"
        return service.map { "\(path)?service=\(AdministrationServer.segment($0))" } ?? path
    }

    private static func show(_ call: JSON) {
        Terminal.table(
            ["CALL", call["call_id"]?.string ?? ""],
            [
                ["SERVICE", call["service"]?.string ?? ""], ["LINK", call["url"]?.string ?? ""],
                ["ACCESS", call["access_level"]?.string ?? ""], ["STARTED BY", call["started_by"]?.string ?? ""],
                ["PARTICIPANTS", String(call["participants"]?.int ?? 0)],
            ])
    }

    /// `chappe call start`
    struct Start: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Start a room's call as one of its members, or find the one under way.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Option(name: .customLong("as"), help: "The member: a localpart or a user ID.") var user: String
        @Option(help: "The conference service: visio or jitsi.") var service: String?
        @Flag(help: "Do not ring.") var quiet = false
        @Flag(help: "Place a widget in the room.") var widget = false
        @Flag(help: "Have another meeting made for the room: when the service has lost the one it has.")
        var newMeeting = false
        @Argument(help: "The room ID.") var room: String

        func run() throws {
            var body: JSONValue = ["user": .string(user)]
            if let service { body["service"] = .string(service) }
            if quiet { body["ring"] = false }
            if widget { body["widget"] = true }
            if newMeeting { body["new_meeting"] = true }
            let call = try option.server().request("POST", Call.path(room, nil), body: body)
            output.show(call) { Call.show(call) }
        }
    }

    /// `chappe call show`
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a room's call.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Option(help: "The conference service: visio or jitsi.") var service: String?
        @Argument(help: "The room ID.") var room: String

        func run() throws {
            let call = try option.server().request("GET", Call.path(room, service))
            output.show(call) { Call.show(call) }
        }
    }

    /// `chappe call end`
    struct End: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a room's call.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Option(help: "The conference service: visio or jitsi.") var service: String?
        @Argument(help: "The room ID.") var room: String

        func run() throws {
            let answer = try option.server().request("DELETE", Call.path(room, service))
            output.show(answer) { Terminal.print("ended") }
        }
    }
}
