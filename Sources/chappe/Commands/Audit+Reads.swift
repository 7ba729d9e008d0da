import ArgumentParser
import Matrix

extension Audit {
    /// `chappe audit reads`
    struct Reads: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what a user has read and downloaded between two times.",
            discussion: """
                Rooms entered, pages of messages and files, where the configuration's audit.reads has them noted. What is said in a room \
                while somebody is in it reaches their clients by itself, and is not noted one by one. Looking is itself part of the \
                audit trail: say why with --reason.
                """)
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "The user: a localpart or a user ID.") var name: String
        @Option(help: "From when, as 2026-11-26 or 2026-11-26T18:30:00Z.") var from: String?
        @Option(help: "Until when, likewise; a day counts to its end.") var until: String?

        func run() throws {
            var query = "limit=1000"
            if let from { query += "&since=\(try Moment.parse(from))" }
            if let until { query += "&until=\(try Moment.parse(until, isEnd: true))" }
            let server = try option.server()
            let path = "\(User.path(name))/reads"
            var (reads, omitted, position) = ([JSON](), Int64(0), Int64?.some(0))
            while let from = position {
                let page = try server.request("GET", "\(path)?\(query)&from=\(from)")
                reads += page["reads"]?.elements.map { $0 } ?? []
                omitted = page["omitted"]?.int ?? 0
                position = page["next"]?.int
            }
            output.show(reads) {
                Terminal.table(
                    ["TIME", "WHAT", "WHERE", "FROM", "TO", "DEVICE", "ADDRESS"],
                    reads.map { read in
                        [
                            Moment.text(read["ts"]?.int), read["kind"]?.string ?? "",
                            read["room_id"]?.string ?? read["uri"]?.string ?? "", read["from"]?.string ?? "",
                            read["to"]?.string ?? "", read["device_id"]?.string ?? "",
                            read["address"]?.string ?? "",
                        ]
                    })
            }
            if omitted > 0 { Terminal.error("\(omitted) more on these days were too many to be noted") }
        }
    }
}
