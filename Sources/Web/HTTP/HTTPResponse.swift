import Matrix

/// A response.
public struct HTTPResponse: Sendable {
    /// The status code.
    public var status: Int
    /// The header fields, without those that the server adds itself: length, date, CORS, compression.
    public var headers: HTTPHeaders
    /// The body.
    public var body: ResponseBody

    /// A response.
    public init(status: Int = 200, headers: HTTPHeaders = [:], body: ResponseBody = .empty) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A JSON text.
    public static func json(_ status: Int = 200, _ bytes: [UInt8]) -> HTTPResponse {
        HTTPResponse(status: status, headers: jsonHeaders, body: .bytes(bytes))
    }

    /// A text for people.
    public static func text(_ status: Int = 200, _ text: String) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: ["Content-Type": "text/plain; charset=utf-8"], body: .bytes(Array(text.utf8))
        )
    }

    /// An error as Matrix writes it, with `Retry-After` when the error says when to come back.
    ///
    /// [Rate limiting](https://spec.matrix.org/v1.19/client-server-api/#rate-limiting).
    public static func error(_ error: MatrixError) -> HTTPResponse {
        var response = HTTPResponse.json(error.status, error.body)
        if let milliseconds = error.extra["retry_after_ms"]?.int {
            response.headers["Retry-After"] = String((max(milliseconds, 0) + 999) / 1000)
        }
        return response
    }

    static let jsonHeaders: HTTPHeaders = ["Content-Type": "application/json"]
}

/// A response's body.
public enum ResponseBody: Sendable {
    /// No bytes.
    case empty
    /// These bytes.
    case bytes([UInt8])
    /// What the closure writes; of known length, or else until it returns. Throwing breaks the connection off.
    case stream(contentLength: Int?, @Sendable (ResponseWriter) async throws -> Void)
    /// A part of a file, read off the event loop; `range` counts bytes. The file must not shrink meanwhile.
    case file(path: String, range: Range<Int64>)
    /// What will be there later. Its status and header fields are those of the response that comes then.
    case parked(any ParkedResponse)
}

/// Takes a streamed body's bytes and holds the writer back while the client is slow.
public protocol ResponseWriter: Sendable {
    /// Sends bytes, and returns when more are welcome.
    ///
    /// - Throws: ``ClientGone`` when the connection is closed.
    func write(_ bytes: [UInt8]) async throws
}

/// The client closed the connection, or was too slow to be waited for.
public struct ClientGone: Error {}
