import Crypto
import Homeserver
import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Keeps blobs as files in a directory: `ab/cd/abcd…`, after the first letters of their names.
///
/// What is on its way in is in `incoming` and locked by whoever writes it. A crash leaves it there unlocked, for the next start to
/// remove. The directory can be shared by several nodes if its file system locks files across them.
public final class DirectoryBlobStore: BlobStore {
    private let directory: String

    /// Opens a directory, makes it if need be, and removes what a crash has left in it.
    ///
    /// - Throws: ``FileFailure`` if it cannot be made or written to.
    public init(directory: String) throws {
        self.directory = directory
        try Self.makeDirectory(directory)
        try Self.makeDirectory(directory + "/incoming")
        try Self.removeAbandoned(in: directory + "/incoming")
    }

    /// A file in `incoming`, locked.
    public func begin() async throws -> any BlobUpload {
        try await offLoop { [directory] in try DirectoryBlobUpload(directory: directory) }
    }

    /// The file of that name, or `nil`.
    public func source(of name: String) async throws -> BlobSource? {
        let path = try Self.path(of: name, in: directory)
        // A look-up in the kernel's cache, not worth a hop to another thread.
        return access(path, R_OK) == 0 ? .file(path: path) : nil
    }

    /// Removes the file of that name.
    public func delete(_ name: String) async throws {
        let path = try Self.path(of: name, in: directory)
        try await offLoop {
            if unlink(path) != 0, errno != ENOENT { throw FileFailure("delete", path) }
        }
    }

    // MARK: -

    static func path(of name: String, in directory: String) throws -> String {
        let bytes = Array(name.utf8)
        let isSafe = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isSafe, (5...255).contains(bytes.count) else { throw FileFailure("use a name for", directory, EINVAL) }
        let first = String(decoding: bytes[0..<2], as: UTF8.self)
        let second = String(decoding: bytes[2..<4], as: UTF8.self)
        return "\(directory)/\(first)/\(second)/\(name)"
    }

    /// Makes a directory that only this server reads. Its parents must exist.
    static func makeDirectory(_ path: String) throws {
        if mkdir(path, 0o700) == 0 {
            let parent = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            try flush(directory: parent.isEmpty ? (path.utf8.first == UInt8(ascii: "/") ? "/" : ".") : parent)
        } else if errno != EEXIST {
            throw FileFailure("make", path)
        }
    }

    /// Makes the names in a directory durable.
    static func flush(directory path: String) throws {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFailure("open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileFailure("flush", path) }
    }

    private static func removeAbandoned(in path: String) throws {
        guard let listing = opendir(path) else { throw FileFailure("list", path) }
        defer { closedir(listing) }
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.utf8.first == UInt8(ascii: ".") { continue }
            let file = path + "/" + name
            let descriptor = open(file, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unlink(file) }
            close(descriptor)
        }
    }
}

/// Runs blocking work on the process's threads for it.
private func offLoop<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
    try await NIOThreadPool.singleton.runIfActive(work)
}

/// A file that grows in `incoming`.
private final class DirectoryBlobUpload: BlobUpload {
    private struct State {
        var descriptor: Int32
        var hash = SHA256()
        var size: Int64 = 0
    }

    private let directory: String
    private let path: String
    private let state: Mutex<State>

    init(directory: String) throws {
        self.directory = directory
        var template = Array("\(directory)/incoming/XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard descriptor >= 0 else { throw FileFailure("make", path) }
        state = Mutex(State(descriptor: descriptor))
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw FileFailure("lock", path) }
    }

    deinit { clear() }

    func append(_ bytes: [UInt8]) async throws {
        try await offLoop {
            try self.state.withLock { state in
                try bytes.withUnsafeBytes { buffer in
                    var rest = buffer[...]
                    while !rest.isEmpty {
                        let count = write(
                            state.descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                        if count < 0, errno == EINTR { continue }
                        guard count > 0 else { throw FileFailure("write", self.path) }
                        rest = rest.dropFirst(count)
                    }
                    state.hash.update(bufferPointer: buffer)
                }
                state.size += Int64(bytes.count)
            }
        }
    }

    func seal() async throws -> BlobDigest {
        state.withLock { BlobDigest(sha256: Array($0.hash.finalize()), size: $0.size) }
    }

    func publish(as name: String) async throws {
        let target = try DirectoryBlobStore.path(of: name, in: directory)
        try await offLoop { [self] in
            try state.withLock { state in
                guard state.descriptor >= 0 else { throw FileFailure("publish", path, EBADF) }
                guard fsync(state.descriptor) == 0 else { throw FileFailure("flush", path) }
                let folder = target.split(separator: "/", omittingEmptySubsequences: false).dropLast()
                try DirectoryBlobStore.makeDirectory(folder.dropLast().joined(separator: "/"))
                try DirectoryBlobStore.makeDirectory(folder.joined(separator: "/"))
                guard rename(path, target) == 0 else { throw FileFailure("rename", path) }
                // From here on there is nothing to clear away.
                close(state.descriptor)
                state.descriptor = -1
                try DirectoryBlobStore.flush(directory: folder.joined(separator: "/"))
            }
        }
    }

    func discard() async {
        // In a task of its own: the caller's is often cancelled by then, and the file must go all the same. It fails only when
        // the process ends, and then the next start removes the file.
        _ = await Task { try? await offLoop { self.clear() } }.value
    }

    private func clear() {
        state.withLock { state in
            guard state.descriptor >= 0 else { return }
            // Before the lock goes with the descriptor.
            unlink(path)
            close(state.descriptor)
            state.descriptor = -1
        }
    }
}

/// A file that could not be dealt with.
public struct FileFailure: Error, CustomStringConvertible {
    /// What failed with which file, and why.
    public let description: String

    init(_ action: String, _ path: String, _ code: Int32 = errno) {
        description = "cannot \(action) \(path): \(String(cString: strerror(code)))"
    }
}
