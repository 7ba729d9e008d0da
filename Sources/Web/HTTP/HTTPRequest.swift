import Matrix

/// A request, once it is clear which route serves it.
public final class HTTPRequest: Sendable {
    /// The method; `.head` for a HEAD request, although the route of GET serves it.
    public let method: HTTPMethod
    /// The path and, if there is one, `?` and the query, as received: what signatures cover.
    public let target: String
    /// The query's items, decoded.
    public let query: QueryItems
    /// The header fields.
    public let headers: HTTPHeaders
    /// The body.
    public let body: RequestBody
    /// The path's parameters, decoded.
    public let pathParameters: PathParameters
    /// Where the request comes from.
    public let origin: RequestOrigin
    /// What logs call this request: unique while the process runs.
    public let id: RequestID

    /// A request.
    public init(
        method: HTTPMethod, target: String, query: QueryItems = .none, headers: HTTPHeaders = [:],
        body: RequestBody = .bytes([]), pathParameters: PathParameters = PathParameters(),
        origin: RequestOrigin = RequestOrigin(peerAddress: "127.0.0.1"), id: RequestID = RequestID()
    ) {
        self.method = method
        self.target = target
        self.query = query
        self.headers = headers
        self.body = body
        self.pathParameters = pathParameters
        self.origin = origin
        self.id = id
    }

    /// The path as received, escapes and all.
    public var path: Substring { target.prefix { $0 != "?" } }

    /// The client's address: the connection's, or what a trusted proxy says in `X-Forwarded-For`.
    public var remoteAddress: String { origin.clientAddress(forwardedFor: headers.all("x-forwarded-for")) }
}

/// The number of a connection and of a request on it.
public struct RequestID: Sendable, Hashable, CustomStringConvertible {
    let connection: UInt64
    let request: UInt64

    /// The identifier of that request on that connection.
    public init(connection: UInt64 = 0, request: UInt64 = 0) {
        self.connection = connection
        self.request = request
    }

    /// Both numbers.
    public var description: String { "\(connection)-\(request)" }
}

/// The parameters that a path's segments gave, decoded.
public struct PathParameters: Sendable, ExpressibleByDictionaryLiteral {
    private var items: [(name: String, value: String)]

    /// No parameters.
    public init() { items = [] }
    /// These parameters.
    public init(dictionaryLiteral elements: (String, String)...) { items = elements.map { (name: $0, value: $1) } }
    init(_ items: [(name: String, value: String)]) { self.items = items }

    /// The parameter of that name in the route's pattern.
    public subscript(_ name: String) -> String? {
        items.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
    }
}
