import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Reads a part of a file on the pool of threads for blocking work.
final class FileReader: Sendable {
    private let descriptor: Int32
    private let range: Range<Int64>

    /// Opens the file; `nil` if that fails.
    init?(path: String, range: Range<Int64>) {
        // Opening a local file is a look-up in the kernel's cache, not worth a hop to another thread.
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        self.range = range
        if descriptor < 0 { return nil }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func send(to writer: any ResponseWriter) async throws {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = Int(min(range.upperBound - offset, 128 << 10))
            let start = offset
            let bytes = try await NIOThreadPool.singleton.runIfActive { try self.read(count, at: start) }
            try await writer.write(bytes)
            offset += Int64(bytes.count)
        }
    }

    private func read(_ count: Int, at offset: Int64) throws -> [UInt8] {
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = max(0, pread(descriptor, buffer.baseAddress, count, off_t(offset)))
        }
        guard !bytes.isEmpty else { throw FileCutShort() }
        return bytes
    }
}

extension ResponseWriter {
    /// Sends a part of a file, read off the event loop. The file must not shrink meanwhile.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - range: Which of its bytes.
    public func write(file path: String, range: Range<Int64>) async throws {
        guard let reader = FileReader(path: path, range: range) else { throw FileCutShort() }
        try await reader.send(to: self)
    }
}

/// A file ended before the part that was to be sent, or could not be read.
struct FileCutShort: Error {}
