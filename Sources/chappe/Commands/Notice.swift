import ArgumentParser
import Matrix

/// `chappe notice …`
struct Notice: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Speak to users of the running server.", subcommands: [Send.self])

    /// `chappe notice send`
    struct Send: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a notice to users.",
            discussion: "Each user gets it in a room of their own. The configuration says who speaks: server_notices.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Option(help: "What is said.") var text: String
        @Option(help: "The same as HTML, for clients that show it.") var html: String?
        @Flag(help: "Send it to every user who is not deactivated.") var all = false
        @Argument(help: "Users: localparts or user IDs.") var users: [String] = []

        /// Users told in one request.
        private static let usersAtOnce = 100

        func validate() throws {
            if users.isEmpty != all { throw ValidationError("Name users, or say --all.") }
            if text.isEmpty { throw ValidationError("There is nothing to say.") }
        }

        func run() throws {
            let server = try option.server()
            var names = users
            if all {
                names = try Pages.all(server, "/_chappe/admin/v1/users", "users")
                    .filter { $0["deactivated"]?.bool != true && $0["app_service"]?.string == nil }
                    .compactMap { $0["user_id"]?.string }
            }
            var content: JSONValue = ["msgtype": "m.text", "body": .string(text)]
            if let html {
                content["format"] = "org.matrix.custom.html"
                content["formatted_body"] = .string(html)
            }
            var sent: [(user: String, event: String)] = []
            var failed: [(user: String, reason: String)] = []
            for start in stride(from: 0, to: names.count, by: Self.usersAtOnce) {
                let some = names[start..<min(start + Self.usersAtOnce, names.count)]
                let answer = try server.request(
                    "POST", "/_chappe/admin/v1/notices",
                    body: ["users": .array(some.map { .string($0) }), "content": content])
                for (user, event) in answer["sent"]?.members ?? JSON.emptyObject.members {
                    sent.append((user, event.string ?? ""))
                }
                for (user, reason) in answer["failed"]?.members ?? JSON.emptyObject.members {
                    // Who speaks is not spoken to.
                    if !all { failed.append((user, reason.string ?? "")) }
                }
            }
            let result: JSONValue = [
                "sent": .object(JSONObject(sent.map { ($0.user, .string($0.event)) })),
                "failed": .object(JSONObject(failed.map { ($0.user, .string($0.reason)) })),
            ]
            output.show(result.json) { Terminal.print("sent to \(sent.count)") }
            if !failed.isEmpty {
                throw CommandFailure(failed.map { "\($0.user): \($0.reason)" }.joined(separator: "\n"))
            }
        }
    }
}
