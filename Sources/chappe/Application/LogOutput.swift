import Foundation
import Logging
import Matrix
import Synchronization

/// Where log lines go: standard error or a file, as text for people or one JSON object a line for programs.
final class LogOutput: Sendable {
    private struct State {
        var descriptor: Int32
        var level: Logger.Level
    }

    private let format: Configuration.Log.Format
    private let file: String?
    private let state: Mutex<State>

    /// From which level on lines are written.
    var level: Logger.Level {
        get { state.withLock { $0.level } }
        set { state.withLock { $0.level = newValue } }
    }

    /// - Throws: ``CommandFailure`` if the file cannot be written.
    init(_ configuration: Configuration.Log, path: (String) -> String) throws {
        format = configuration.format
        file = configuration.file.map(path)
        state = Mutex(State(descriptor: try file.map(Self.open) ?? 2, level: configuration.level.level))
    }

    /// Opens the file again: the one that is open may have been given another name.
    ///
    /// - Throws: ``CommandFailure`` if it cannot be written; then lines go where they went.
    func reopen() throws {
        guard let file else { return }
        let new = try Self.open(file)
        let old = state.withLock { state in
            defer { state.descriptor = new }
            return state.descriptor
        }
        close(old)
    }

    private static func open(_ path: String) throws -> Int32 {
        let descriptor = Foundation.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw CommandFailure("the log \(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        return descriptor
    }

    func write(_ label: String, _ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) {
        var line: [UInt8]
        switch format {
        case .json:
            var writer = JSONWriter()
            writer.beginObject()
            writer.member("time", Self.time)
            writer.member("level", level.rawValue)
            writer.member("logger", label)
            writer.member("message", message)
            for (name, value) in metadata.sorted(by: { $0.key < $1.key }) { writer.member(name, "\(value)") }
            writer.endObject()
            line = writer.bytes
        case .text:
            // A line break in a value must not look like another line of the log.
            let values = metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            let text = "\(Self.time) \(level.rawValue) \(label): \(message)\(values)"
            line = text.utf8.map { $0 == 10 || $0 == 13 ? 32 : $0 }
        }
        line.append(10)
        state.withLock { state in
            var rest = line[...]
            while !rest.isEmpty {
                let written = rest.withUnsafeBytes { Foundation.write(state.descriptor, $0.baseAddress, $0.count) }
                // A log that cannot be written must not stop the server.
                guard written > 0 else { return }
                rest = rest.dropFirst(written)
            }
        }
    }

    private static var time: String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let milliseconds = String(now.tv_nsec / 1_000_000 + 1_000).dropFirst()
        return "\(parts.tm_year + 1_900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
            + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(milliseconds)Z"
    }
}

/// Hands what is logged to a ``LogOutput``.
struct LogOutputHandler: LogHandler {
    let label: String
    let output: LogOutput
    /// One level for all, which can change at any time.
    var logLevel: Logger.Level {
        get { output.level }
        set { output.level = newValue }
    }
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var metadata = self.metadata.merging(event.metadata ?? [:]) { $1 }
        if let error = event.error { metadata["error"] = "\(error)" }
        output.write(label, event.level, "\(event.message)", metadata)
    }
}

extension Configuration.Log.Level {
    /// As loggers know it.
    var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
}
