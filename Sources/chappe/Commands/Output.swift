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
    static func text(_ milliseconds: Int64?) -> String {
        guard let milliseconds, milliseconds > 0 else { return "" }
        let date = Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
        return date.formatted(
            .iso8601.year().month().day().dateSeparator(.dash).time(includingFractionalSeconds: false))
    }
}
