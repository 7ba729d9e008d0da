import Foundation

/// Shows how far long work has come, to people who wait for it at a terminal.
struct Progress {
    private let label: String
    private let total: Int
    private let isShown = isatty(STDERR_FILENO) == 1
    private var done = 0

    private static let width = 30

    /// Work of so many steps.
    init(_ label: String, of total: Int) {
        self.label = label
        self.total = total
    }

    /// More of it has been done.
    mutating func advance(by count: Int) {
        done += count
        guard isShown, total > 0 else { return }
        let filled = done * Self.width / total
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
        FileHandle.standardError.write(Data("\r\(label) [\(bar)] \(done)/\(total)".utf8))
    }

    /// All of it has been done.
    func end() {
        if isShown, total > 0 { FileHandle.standardError.write(Data("\n".utf8)) }
    }
}
