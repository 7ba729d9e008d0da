import ArgumentParser
import Foundation
import Matrix

extension User {
    /// `chappe user import`
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the accounts of a list.",
            discussion: """
                The list is CSV in UTF-8. Its first line names its columns, in any order: localpart, email (several separated by \
                blanks), displayname, password, admin (yes or no). An account without a localpart is named after its first address: \
                marie.curie@example.org becomes @marie.curie-example.org. One without a password signs in by single sign-on.

                All lines are checked before any account is made. Accounts that are there already are left as they are: a list whose \
                import broke off can be given again, and so can a longer one.
                """
        )
        @OptionGroup var option: ServerOption
        @OptionGroup var output: OutputOption
        @Argument(help: "The list; - for standard input.") var file: String
        @Flag(help: "Only check the list.") var dryRun = false

        private static let batchSize = 500

        /// A line of the list, and where it begins.
        private struct Row {
            let line: Int
            let user: JSONValue
        }

        func run() throws {
            let server = try option.server()
            let (rows, flaws) = Self.rows(of: try CSV.parse(try read()))
            var (bad, new, known) = (flaws, 0, 0)
            try send(rows, to: server, isDryRun: true, "Checking") { row, result in
                switch result["status"]?.string {
                case "new": new += 1
                case "known": known += 1
                default: bad.append((row.line, result["error"]?.string ?? "it was refused"))
                }
            }
            guard bad.isEmpty else {
                for (line, why) in bad.sorted(by: { $0.line < $1.line }) { Terminal.error("line \(line): \(why)") }
                throw CommandFailure("\(bad.count) lines cannot be imported; nothing was done")
            }
            if !dryRun {
                (new, known) = (0, 0)
                try send(rows, to: server, isDryRun: false, "Making accounts") { row, result in
                    switch result["status"]?.string {
                    case "new": new += 1
                    case "known": known += 1
                    default: bad.append((row.line, result["error"]?.string ?? "it was refused"))
                    }
                }
            }
            let summary: JSONValue = [
                "new": .integer(Int64(new)), "known": .integer(Int64(known)), "dry_run": .bool(dryRun),
            ]
            output.show(summary.json) {
                Terminal.print("\(new) accounts \(dryRun ? "would be" : "were") made, \(known) are there already")
            }
            for (line, why) in bad { Terminal.error("line \(line): \(why)") }
            if !bad.isEmpty { throw CommandFailure("\(bad.count) accounts were not made") }
        }

        private func read() throws -> [UInt8] {
            guard file != "-" else { return Array(FileHandle.standardInput.readDataToEndOfFile()) }
            guard let data = FileManager.default.contents(atPath: file) else {
                throw CommandFailure("\(file) cannot be read")
            }
            return Array(data)
        }

        private func send(
            _ rows: [Row], to server: AdministrationServer, isDryRun: Bool, _ label: String,
            _ hear: (Row, JSON) throws -> Void
        ) throws {
            var progress = Progress(label, of: rows.count)
            for start in stride(from: 0, to: rows.count, by: Self.batchSize) {
                let batch = rows[start..<min(start + Self.batchSize, rows.count)]
                let answer = try server.request(
                    "POST", "/_chappe/admin/v1/users/import",
                    body: ["users": .array(batch.map(\.user)), "dry_run": .bool(isDryRun)])
                let results = answer["results"]?.elements.map { $0 } ?? []
                guard results.count == batch.count else { throw CommandFailure("the server's answer is not complete") }
                for (row, result) in zip(batch, results) { try hear(row, result) }
                progress.advance(by: batch.count)
            }
            progress.end()
        }

        private static let columns = ["localpart", "email", "displayname", "password", "admin"]

        /// The accounts that a list names, and what is wrong with it, by line.
        private static func rows(of records: [CSV.Record]) -> ([Row], [(line: Int, why: String)]) {
            guard let header = records.first else { return ([], [(1, "the list is empty")]) }
            let names = header.fields.map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
            var flaws: [(line: Int, why: String)] = []
            for name in names where !columns.contains(name) {
                flaws.append((header.line, "there is no column \(name); there are \(columns.joined(separator: ", "))"))
            }
            if Set(names).count != names.count { flaws.append((header.line, "a column is named twice")) }
            if !names.contains("localpart"), !names.contains("email") {
                flaws.append((header.line, "neither localpart nor email is among the columns"))
            }
            guard flaws.isEmpty else { return ([], flaws) }
            var rows: [Row] = []
            var seen: [String: Int] = [:]
            for record in records.dropFirst() {
                guard record.fields.count == names.count else {
                    flaws.append((record.line, "\(record.fields.count) fields, not \(names.count)"))
                    continue
                }
                let fields = Dictionary(
                    uniqueKeysWithValues: zip(names, record.fields.map { $0.trimmingCharacters(in: .whitespaces) }))
                do {
                    let user = try user(fields)
                    for name in ids(fields) {
                        if let other = seen[name] { throw CommandFailure("\(name) is on line \(other) already") }
                        seen[name] = record.line
                    }
                    rows.append(Row(line: record.line, user: user))
                } catch {
                    flaws.append((record.line, (error as? CommandFailure)?.message ?? "\(error)"))
                }
            }
            return (rows, flaws)
        }

        /// What no two lines may have in common.
        private static func ids(_ fields: [String: String]) -> [String] {
            var ids = emails(fields).map { $0.lowercased() }
            if let name = fields["localpart"], !name.isEmpty { ids.append(name.lowercased()) }
            return ids
        }

        private static func emails(_ fields: [String: String]) -> [String] {
            (fields["email"] ?? "").split(whereSeparator: \.isWhitespace).map { String($0) }
        }

        private static func user(_ fields: [String: String]) throws -> JSONValue {
            var user: JSONValue = ["emails": .array(emails(fields).map { .string($0) })]
            for name in ["localpart", "displayname", "password"] {
                if let value = fields[name], !value.isEmpty { user[name] = .string(value) }
            }
            switch (fields["admin"] ?? "").lowercased() {
            case "", "no", "false", "0": break
            case "yes", "true", "1": user["admin"] = true
            case let other: throw CommandFailure("admin is yes or no, not \(other)")
            }
            return user
        }
    }
}
