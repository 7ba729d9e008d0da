/// A method and the pattern of paths it is served on.
///
/// A pattern is a path whose segments may be parameters, `{roomId}`; a final `{rest...}` takes all segments that are left.
public struct Route: Sendable, Hashable {
    /// The method.
    public let method: HTTPMethod
    /// The pattern, as in `/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`.
    public let pattern: String

    /// A route.
    public init(_ method: HTTPMethod, _ pattern: String) {
        self.method = method
        self.pattern = pattern
    }

    /// GET.
    public static func get(_ pattern: String) -> Route { Route(.get, pattern) }
    /// PUT.
    public static func put(_ pattern: String) -> Route { Route(.put, pattern) }
    /// POST.
    public static func post(_ pattern: String) -> Route { Route(.post, pattern) }
    /// DELETE.
    public static func delete(_ pattern: String) -> Route { Route(.delete, pattern) }
}

extension [Route] {
    /// The same path under several versions of the client-server API: `/_matrix/client/{version}` and `path`.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - path: The rest of the pattern, with its leading slash.
    ///   - versions: `v3` and, for older clients, `r0`; endpoints that came later name `v1` or others.
    public static func client(_ method: HTTPMethod, _ path: String, versions: [String] = ["v3", "r0"]) -> [Route] {
        versions.map { Route(method, "/_matrix/client/\($0)\(path)") }
    }
}

/// How a route's request bodies are taken.
public enum BodyPolicy: Sendable {
    /// The whole body is read before the handler starts; 413 beyond the limit.
    case buffered(limitBytes: Int)
    /// The handler starts at once and reads while the body arrives; 413 beyond the limit.
    case streamed(limitBytes: Int)

    /// One mebibyte, buffered: enough for every JSON body of the client-server API.
    public static let json = BodyPolicy.buffered(limitBytes: 1 << 20)

    /// The largest body, in bytes.
    public var limitBytes: Int {
        switch self {
        case .buffered(let limit), .streamed(let limit): limit
        }
    }
}

/// What the server should know of a route beside its path.
public struct RouteOptions: Sendable {
    /// How bodies are taken.
    public var body: BodyPolicy
    /// Whether requests may wait long for something to happen: they are cancelled at shutdown and counted apart.
    public var isLongPoll: Bool

    /// Options.
    public init(body: BodyPolicy = .json, isLongPoll: Bool = false) {
        self.body = body
        self.isLongPoll = isLongPoll
    }
}

/// What answers requests. Errors are turned into responses by the server.
public typealias RequestHandler = @Sendable (HTTPRequest) async throws -> HTTPResponse
