import Foundation

/// What commands read and write, and the surroundings they run in.
enum Terminal {
    /// The process's environment variables.
    static var environment: [String: String] { ProcessInfo.processInfo.environment }

    /// Writes a line for people or programs to read.
    static func print(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }

    /// Writes a line that says what went wrong.
    static func error(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    /// Reads a line without its end; `nil` at the end of the input.
    static func readInput() -> String? { readLine(strippingNewline: true) }

    /// Asks for a secret, which is not shown while it is typed.
    static func readSecret(_ prompt: String) -> String? {
        guard let typed = getpass(prompt) else { return nil }
        return String(cString: typed)
    }

    /// Writes rows in columns.
    static func table(_ header: [String], _ rows: [[String]]) {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        for row in all {
            let cells = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
            print(cells.joined(separator: "  ").trimmingCharacters(in: .whitespaces))
        }
    }
}
