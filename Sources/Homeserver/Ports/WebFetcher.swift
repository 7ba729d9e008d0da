/// Gets what is on the web, for anybody who may name any address: it must not lead into networks that only this server can reach.
public protocol WebFetcher: Sendable {
    /// Sends a GET, and returns when the head of the answer is there. Redirects are not followed.
    ///
    /// - Parameters:
    ///   - address: What to get.
    ///   - accepts: The kinds of content that are of use, as in `Accept`.
    ///   - languages: The languages that are welcome, as in `Accept-Language`; `nil` for any.
    ///   - timeoutMilliseconds: How long all of it may take, the body included.
    func get(
        _ address: WebAddress, accepts: String, languages: String?, timeoutMilliseconds: Int64
    ) async throws(WebFailure) -> WebAnswer

    /// A text of some character set in UTF-8, or `nil` for one that is not known. What is no character of it becomes U+FFFD.
    func utf8(_ text: [UInt8], in characterSet: String) -> [UInt8]?
}

/// An answer, its body still arriving.
public struct WebAnswer: Sendable {
    /// The status.
    public var status: Int
    /// The head: names in small letters.
    public var headers: [(name: String, value: String)]
    /// The next piece of the body, or `nil` at its end; throws ``WebFailure``. One caller at a time.
    public var next: @Sendable () async throws -> [UInt8]?

    /// An answer.
    public init(
        status: Int, headers: [(name: String, value: String)], next: @escaping @Sendable () async throws -> [UInt8]?
    ) {
        self.status = status
        self.headers = headers
        self.next = next
    }

    /// The first value of a field, its name in small letters.
    public func header(_ name: String) -> String? {
        headers.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
    }

    /// The length that is announced, in bytes.
    public var contentLength: Int64? { header("content-length").flatMap { Int64($0) } }

    /// What the body is, in small letters and without parameters.
    public var mediaType: String? {
        guard let type = header("content-type")?.prefix(while: { $0 != ";" }) else { return nil }
        return type.split(separator: " ").joined().lowercased()
    }
}

/// Why there is no answer, or no end of one.
public enum WebFailure: Error, Sendable, Hashable {
    /// The host is at none of the addresses that may be connected to.
    case forbiddenAddress
    /// It cannot be reached; the text is for the log.
    case unreachable(String)
    /// It is too slow.
    case tooSlow
}

/// Looks at pictures.
public protocol PictureInspector: Sendable {
    /// What a picture says of itself.
    ///
    /// - Throws: ``ThumbnailFailure``; for anything wrong with the system another error.
    func inspect(_ source: BlobSource, sizeBytes: Int64) async throws -> PictureDescription
}

/// What a picture says of itself.
public struct PictureDescription: Sendable, Hashable {
    /// Its type, as of its bytes.
    public var contentType: String
    /// Pixels across, as it is shown.
    public var width: Int
    /// Pixels down, as it is shown.
    public var height: Int

    /// A description.
    public init(contentType: String, width: Int, height: Int) {
        self.contentType = contentType
        self.width = width
        self.height = height
    }
}
