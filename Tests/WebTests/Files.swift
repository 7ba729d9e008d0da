#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file's permissions, or `nil` if there is no such file.
func fileMode(_ path: String) -> UInt32? {
    var information = stat()
    guard stat(path, &information) == 0 else { return nil }
    return UInt32(information.st_mode) & 0o777
}

/// A file in the directory for temporary files, gone when the value is.
final class TemporaryFile: Sendable {
    let path = "/tmp/chappe-web-\(UInt64.random(in: 0 ... .max))"

    init(_ bytes: [UInt8]) { write(bytes) }
    convenience init(_ text: String) { self.init(Array(text.utf8)) }
    deinit { unlink(path) }

    func write(_ bytes: [UInt8]) {
        guard let file = fopen(path, "w") else { return }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }
}

/// Sleeps on the calling thread.
func blockingSleep(milliseconds: UInt32) { usleep(milliseconds * 1_000) }
