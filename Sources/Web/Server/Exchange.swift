import NIOCore
import NIOHTTP1

/// One request and its response on a connection. Used on the connection's event loop only.
final class Exchange: @unchecked Sendable {
    let id: RequestID
    let method: HTTPMethod
    let entry: RouteEntry
    let isHTTP10: Bool
    let acceptsGzip: Bool
    let start: NIODeadline
    let target: String
    /// What only the handler needs.
    private var parts: (parameters: PathParameters, query: QueryItems, headers: HTTPHeaders)

    /// Whether the connection may serve another request afterwards.
    var keepAlive: Bool
    /// The client waits for `100 Continue` before it sends the body.
    var awaitsContinue: Bool
    var bodyBytes: [UInt8] = []
    var bodyStream: RequestBodyStream?
    var receivedBytes = 0
    var requestEnded = false
    /// What still arrives of the body is of no use any more.
    var discardsBody = false

    var task: Task<Void, Never>?
    /// What the request waits for while it has no task.
    var parked: (any ParkedResponse)?
    var status = 0
    var sentBytes = 0
    var responseStarted = false
    var responseEnded = false
    var isChunked = false
    /// What is left of a body whose length was announced.
    var remainingBytes: Int?

    init(
        id: RequestID, head: HTTPRequestHead, method: HTTPMethod,
        target: (match: RouteMatch, target: String, query: QueryItems)
    ) {
        self.id = id
        self.method = method
        entry = target.match.entry
        self.target = target.target
        parts = (target.match.parameters, target.query, HTTPHeaders(head.headers))
        isHTTP10 = head.version.minor == 0
        acceptsGzip = Self.acceptsGzip(head.headers)
        // After a request to change protocols the parser reads no further.
        keepAlive = head.isKeepAlive && head.method != .CONNECT && !head.headers.contains(name: "upgrade")
        awaitsContinue =
            !isHTTP10 && head.headers.first(name: "expect").map { $0.lowercased() == "100-continue" } ?? false
        start = .now()
    }

    /// The parts of the request that its handler gets; once, so that they take no memory while it waits.
    func takeParts() -> (parameters: PathParameters, query: QueryItems, headers: HTTPHeaders) {
        defer { parts = (PathParameters(), .none, [:]) }
        return parts
    }

    /// [RFC 9110, section 12.5.3](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3).
    private static func acceptsGzip(_ headers: NIOHTTP1.HTTPHeaders) -> Bool {
        for field in headers[canonicalForm: "accept-encoding"] {
            let parts = field.split(separator: ";")
            guard let coding = parts.first?.lowercased(), coding == "gzip" || coding == "x-gzip" else { continue }
            let quality = parts.dropFirst().first { $0.utf8.contains(UInt8(ascii: "=")) }?.split(separator: "=").last
            return quality.flatMap { Double(String($0).filter { $0 != " " }) } != 0
        }
        return false
    }
}
