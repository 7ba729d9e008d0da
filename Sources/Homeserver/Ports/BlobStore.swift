/// Keeps bytes under names: files in a directory, objects in a cloud.
///
/// A name is never used for other bytes again, and what has been published under it does not change. What refers to it is in the
/// database; the store itself knows of names and bytes alone.
public protocol BlobStore: Sendable {
    /// Begins to take bytes in, under no name yet. What becomes of it without ``BlobUpload/publish(as:)`` is cleared away, even
    /// after a crash.
    func begin() async throws -> any BlobUpload

    /// Where to read what is under a name, or `nil` if there is nothing.
    func source(of name: String) async throws -> BlobSource?

    /// Deletes what is under a name; nothing there is as good.
    func delete(_ name: String) async throws
}

/// Bytes on their way into a ``BlobStore``. One caller at a time.
public protocol BlobUpload: Sendable {
    /// Takes more bytes, and returns when more are welcome.
    func append(_ bytes: [UInt8]) async throws
    /// Takes no more: the SHA-256 and the number of all bytes.
    func seal() async throws -> BlobDigest
    /// Puts the bytes under a name, for good: what is published survives a loss of power.
    func publish(as name: String) async throws
    /// Throws the bytes away, unless they have been published.
    func discard() async
}

/// Which bytes, and how many.
public struct BlobDigest: Sendable, Hashable {
    /// Their SHA-256.
    public var sha256: [UInt8]
    /// Their number.
    public var size: Int64

    /// A digest.
    public init(sha256: [UInt8], size: Int64) {
        self.sha256 = sha256
        self.size = size
    }
}

/// Where the bytes of a blob can be read.
public enum BlobSource: Sendable {
    /// In a file, which can be read from any place on.
    case file(path: String)
    /// Piece by piece: the closure gives the bytes of a range, in order, to the one that it is given, and waits for it.
    case pieces(@Sendable (Range<Int64>, @Sendable ([UInt8]) async throws -> Void) async throws -> Void)
}
