import Foundation
import Logging
import Matrix
import Synchronization

/// Where log lines go: standard error or a file, as text for people or one JSON object a line for programs.
final class LogOutput: Sendable {
    private let descriptor: Int32
    private let format: Configuration.Log.Format
    private let lock = Mutex(())

    /// - Throws: ``CommandFailure`` if the file cannot be written.
    init(_ configuration: Configuration.Log, path: (String) -> String) throws {
        format = configuration.format
        if let file = configuration.file {
            descriptor = open(path(file), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
            guard descriptor >= 0 else {
                throw CommandFailure("the log \(path(file)) cannot be written: \(String(cString: strerror(errno)))")
            }
        } else {
            descriptor = 2
        }
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
        lock.withLock { _ in
            var rest = line[...]
            while !rest.isEmpty {
                let written = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
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
    var logLevel: Logger.Level
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
