import Store

/// Makes small pictures of large ones, off the callers' threads.
public protocol Thumbnailer: Sendable {
    /// A thumbnail: upright, without what the original says of its making, and never larger than the original.
    ///
    /// - Parameters:
    ///   - source: The original.
    ///   - sizeBytes: How large the original is, in bytes.
    ///   - key: What the thumbnail is to be like. One that scales fits in width and height, one that crops fills both.
    /// - Throws: ``ThumbnailFailure``; for anything wrong with the system another error.
    func thumbnail(of source: BlobSource, sizeBytes: Int64, _ key: ThumbnailKey) async throws -> Thumbnail
}

/// What a ``Thumbnailer`` makes of a picture.
public enum Thumbnail: Sendable {
    /// A smaller picture.
    case made(bytes: [UInt8], contentType: String)
    /// The original, which is as small as what was asked for and of a type that browsers show.
    case original(contentType: String)
}

/// Why there is no thumbnail.
public enum ThumbnailFailure: Error, Sendable, Hashable {
    /// It is no picture, or of a format that is not read here.
    case notAPicture
    /// It is a picture that breaks off or is not well formed.
    case damaged
    /// It has too many bytes or pixels.
    case tooLarge
    /// Too many others wait.
    case busy
}
