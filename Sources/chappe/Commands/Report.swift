import ArgumentParser
import Foundation
import Matrix

/// `chappe report …`
struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What users have reported of rooms, events and users.",
        subcommands: [List.self, Show.self, Close.self])

    private static let path = "/_chappe/admin/v1/reports"

    private static func subject(_ report: JSON) -> String {
        report["event_id"]?.string ?? report["room_id"]?.string ?? report["user_id"]?.string ?? ""
    }

    /// `chappe report list`
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List reports, the latest first.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Option(help: "Only of this room, or of events of it.") var room: String?
        @Option(help: "Only of this user, or of events of theirs: a user ID.") var user: String?
        @Option(help: "Only by this user: a user ID.") var reporter: String?

        func run() throws {
            let filters = [("room", room), ("user", user), ("reporter", reporter)]
            let query = filters.compactMap { name, value in
                value.map { "&\(name)=\(AdministrationServer.segment($0))" }
            }
            let reports = try Pages.all(
                try option.server(), Report.path, "reports", query: "limit=1000" + query.joined())
            output.show(reports) {
                Terminal.table(
                    ["NUMBER", "WHEN", "KIND", "REPORTED", "BY", "REASON"],
                    reports.map { report in
                        [
                            String(report["number"]?.int ?? 0), Moment.text(report["received_ts"]?.int),
                            report["kind"]?.string ?? "", Report.subject(report), report["reporter"]?.string ?? "",
                            Report.line(report["reason"]?.string ?? ""),
                        ]
                    })
            }
        }
    }

    /// `chappe report show`
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a report, with the event it is about if that is still here.")
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "The report's number.") var number: Int64

        func run() throws {
            let report = try option.server().request("GET", "\(Report.path)/\(number)")
            output.show(report) {
                Terminal.table(
                    ["REPORT", String(number)],
                    [
                        ["WHEN", Moment.text(report["received_ts"]?.int)], ["KIND", report["kind"]?.string ?? ""],
                        ["BY", report["reporter"]?.string ?? ""], ["ROOM", report["room_id"]?.string ?? ""],
                        ["EVENT", report["event_id"]?.string ?? ""], ["USER", report["user_id"]?.string ?? ""],
                        ["SCORE", report["score"]?.int.map { String($0) } ?? ""],
                        ["REASON", Report.printable(report["reason"]?.string ?? "")],
                    ])
                guard let event = report["event"] else { return }
                Terminal.print("")
                Terminal.print(
                    Report.printable(
                        event["content"]?["body"]?.string ?? String(decoding: event.bytes, as: UTF8.self)))
            }
        }
    }

    /// `chappe report close`
    struct Close: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Close reports that have been dealt with: they are deleted.")
        @OptionGroup var option: ServerOption
        @OptionGroup var consent: ConsentOption
        @Argument(help: "The reports' numbers.") var numbers: [Int64]

        func run() throws {
            let server = try option.server()
            let names = numbers.map { String($0) }.joined(separator: " ")
            try consent.ask("This deletes \(numbers.count == 1 ? "report" : "reports") \(names).", repeat: names)
            for number in numbers { _ = try server.request("DELETE", "\(Report.path)/\(number)") }
        }
    }

    /// A text of somebody's whom nobody trusts, without what moves a terminal's cursor.
    private static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    scalar == "\n" || scalar.properties.generalCategory != .control ? scalar : "\u{FFFD}"
                }))
    }

    private static func line(_ text: String) -> String {
        let line = printable(text).replacingOccurrences(of: "\n", with: " ")
        return line.count > 60 ? line.prefix(59) + "…" : line
    }
}
