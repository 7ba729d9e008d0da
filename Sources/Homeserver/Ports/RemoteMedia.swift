import Matrix

/// The files of other servers.
public protocol RemoteMedia: Sendable {
    /// Begins to fetch a file from the server that it was uploaded to.
    ///
    /// - Throws: `MatrixError` 404 if that server cannot be reached or has no such file, 504 if it is not there in time.
    func open(_ reference: MediaReference, timeoutMilliseconds: Int64) async throws -> RemoteFile
}

/// The small pictures of other servers' files.
public protocol RemoteThumbnails: Sendable {
    /// Begins to fetch a thumbnail from the server that the file was uploaded to.
    ///
    /// - Parameters:
    ///   - reference: The file.
    ///   - width: Pixels across.
    ///   - height: Pixels down.
    ///   - method: `crop` or `scale`.
    ///   - isAnimated: Whether it may move.
    ///   - timeoutMilliseconds: How long that server may wait for the file itself.
    /// - Throws: `MatrixError` as ``RemoteMedia/open(_:timeoutMilliseconds:)`` does.
    func openThumbnail(
        _ reference: MediaReference, width: Int, height: Int, method: String, isAnimated: Bool,
        timeoutMilliseconds: Int64
    ) async throws -> RemoteFile
}

/// A file of another server, while it arrives.
public struct RemoteFile: Sendable {
    /// What the other server says it is.
    public var contentType: String?
    /// What the other server calls it.
    public var fileName: String?
    /// How many bytes the other server says it has.
    public var declaredBytes: Int64?
    /// The next piece, or `nil` at the end.
    public var next: @Sendable () async throws -> [UInt8]?

    /// A file.
    public init(
        contentType: String?, fileName: String?, declaredBytes: Int64?,
        next: @escaping @Sendable () async throws -> [UInt8]?
    ) {
        self.contentType = contentType
        self.fileName = fileName
        self.declaredBytes = declaredBytes
        self.next = next
    }
}

/// The files of nobody, for a server that is alone.
public struct NoRemoteMedia: RemoteMedia {
    /// No files.
    public init() {}

    /// Always 404 `M_NOT_FOUND`.
    public func open(_ reference: MediaReference, timeoutMilliseconds: Int64) async throws -> RemoteFile {
        throw MatrixError.notFound("\(reference.server) cannot be reached from here")
    }
}
