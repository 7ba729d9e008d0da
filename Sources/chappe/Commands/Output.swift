import ArgumentParser
import Foundation
import Matrix

/// How a command shows what it found.
struct OutputOption: ParsableArguments {
    @Flag(help: "Write JSON, for programs.")
    var json = false

    /// Shows one thing.
    func show(_ value: JSON, _ forPeople: () -> Void) {
        if json { Terminal.print(String(decoding: value.bytes, as: UTF8.self)) } else { forPeople() }
    }

    /// Shows several things.
    func show(_ values: [JSON], _ forPeople: () -> Void) {
        guard json else { return forPeople() }
        var writer = JSONWriter()
        writer.beginArray()
        for value in values { writer.write(value) }
        writer.endArray()
        Terminal.print(String(decoding: writer.bytes, as: UTF8.self))
    }
}

/// Lists that come in pages.
enum Pages {
    static func all(_ server: AdministrationServer, _ path: String, _ name: String, query: String = "limit=1000") throws
        -> [JSON]
    {
        var items: [JSON] = []
        var from: String?
        repeat {
            let page = try server.request("GET", "\(path)?\(query)" + (from.map { "&from=\($0)" } ?? ""))
            items += page[name]?.elements.map { $0 } ?? []
            // A number, or the name of something.
            from = (page["next"] ?? page["next_token"]).flatMap { next in
                next.int.map { String($0) } ?? next.string.map { AdministrationServer.segment($0) }
            }
        } while from != nil
        return items
    }
}

/// Times as people read them.
enum Moment {
    /// A day or a moment that somebody has written, in milliseconds since 1970.
    ///
    /// - Parameters:
    ///   - text: As 2026-11-26 or 2026-11-26T18:30:00Z.
    ///   - isEnd: Whether the last moment of a day is meant.
    /// - Throws: ``CommandFailure`` for anything else.
    static func parse(_ text: String, isEnd: Bool = false) throws -> Int64 {
        if let day = try? Date(text, strategy: .iso8601.year().month().day()), text.utf8.count == 10 {
            return Int64(day.timeIntervalSince1970 * 1_000) + (isEnd ? 86_399_999 : 0)
        }
        if let moment = try? Date(text, strategy: .iso8601) { return Int64(moment.timeIntervalSince1970 * 1_000) }
        throw CommandFailure("\(text) is no time, such as 2026-11-26 or 2026-11-26T18:30:00Z")
    }

    /// A time in UTC.
    static func text(_ milliseconds: Int64?) -> String {
        guard let milliseconds, milliseconds > 0 else { return "" }
        let date = Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
        return date.formatted(
            .iso8601.year().month().day().dateSeparator(.dash).time(includingFractionalSeconds: false))
    }
}
