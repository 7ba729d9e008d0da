import Crypto
import Foundation

/// Copies files and says what is in them.
enum BackupFiles {
    private static let chunkBytes = 1 << 20

    /// Copies a file to a new one that only its owner may read, puts it on disk, and returns its SHA-256 in hexadecimal digits.
    static func copy(_ source: String, to target: String) throws -> String {
        let input = try opened(source)
        defer { close(input) }
        let output = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard output >= 0 else { throw CommandFailure("\(target) cannot be made: \(reason)") }
        defer { close(output) }
        let hash = try forEachChunk(of: input, source) { chunk in
            var rest = chunk[...]
            while !rest.isEmpty {
                let written = write(output, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                guard written > 0 else { throw CommandFailure("\(target) cannot be written: \(reason)") }
                rest = rest.dropFirst(written)
            }
        }
        guard fsync(output) == 0 else { throw CommandFailure("\(target) cannot be written: \(reason)") }
        return hash
    }

    /// A file's SHA-256 in hexadecimal digits.
    static func hash(of path: String) throws -> String {
        let input = try opened(path)
        defer { close(input) }
        return try forEachChunk(of: input, path) { _ in }
    }

    /// Makes a directory, and those above it, for its owner alone.
    static func makeDirectory(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch { throw CommandFailure("\(path) cannot be made: \(error.localizedDescription)") }
    }

    /// Gives a file or a directory another name, which must be free.
    static func move(_ path: String, to target: String) throws {
        guard rename(path, target) == 0 else { throw CommandFailure("\(path) cannot become \(target): \(reason)") }
        flushDirectory((target as NSString).deletingLastPathComponent)
    }

    /// Makes the names in a directory durable.
    static func flushDirectory(_ path: String) {
        let descriptor = open(path.isEmpty ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    /// All files below a directory: their paths in it.
    static func list(_ directory: String) -> Set<String> {
        var found: Set<String> = []
        guard let all = FileManager.default.enumerator(atPath: directory) else { return [] }
        for case let path as String in all where isFile("\(directory)/\(path)") { found.insert(path) }
        return found
    }

    /// Whether there is a file, and no directory.
    static func isFile(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && !isDirectory.boolValue
    }

    /// A file's size in bytes; `nil` if there is none.
    static func size(of path: String) -> Int64? {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : nil
    }

    /// Where a file of the media store is in its directory, or in that of a backup.
    static func place(ofMedia name: String) -> String {
        "\(name.prefix(2))/\(name.dropFirst(2).prefix(2))/\(name)"
    }

    /// Gives all that is there to the owner of another directory, where the command is run by root.
    static func giveAway(_ paths: [String], toOwnerOf directory: String) {
        var status = stat()
        guard geteuid() == 0, stat(directory, &status) == 0 else { return }
        for path in paths {
            lchown(path, status.st_uid, status.st_gid)
            guard let all = FileManager.default.enumerator(atPath: path) else { continue }
            for case let inner as String in all { lchown("\(path)/\(inner)", status.st_uid, status.st_gid) }
        }
    }

    /// Bytes as hexadecimal digits.
    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.reduce(into: "") { text, byte in
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }

    private static var reason: String { String(cString: strerror(errno)) }

    private static func opened(_ path: String) throws -> Int32 {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw CommandFailure("\(path) cannot be read: \(reason)") }
        return descriptor
    }

    private static func forEachChunk(
        of descriptor: Int32, _ path: String, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> String {
        var hash = SHA256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkBytes, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            guard count >= 0 else { throw CommandFailure("\(path) cannot be read: \(reason)") }
            guard count > 0 else { return hexadecimal(hash.finalize()) }
            let chunk = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            hash.update(bufferPointer: chunk)
            try body(chunk)
        }
    }
}
