import Matrix

/// One thing that can be asked of the server: a file with its path, its rules, its request, its response and what it does.
///
/// ```swift
/// /// [PUT /rooms/{roomId}/typing/{userId}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidtypinguserid)
/// struct SetTyping: Endpoint {
///     static let routes: [Route] = .client(.put, "/rooms/{roomId}/typing/{userId}")
///     static let authentication: Authentication<Caller> = .required
///     let typing: TypingService
///
///     struct Request: RequestDecodable {
///         let roomID: RoomID
///         let isTyping: Bool
///
///         init(from input: RequestInput) throws {
///             roomID = try input.path("roomId")
///             isTyping = try input.body.required("typing", as: .bool)
///         }
///     }
///
///     func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse { … }
/// }
/// ```
public protocol Endpoint: Sendable {
    /// What is asked.
    associatedtype Request: RequestDecodable
    /// What is answered.
    associatedtype Response: ResponseEncodable
    /// What the handler is told of the caller: ``Caller``, `Caller?`, ``Anonymous`` or ``RemoteServer``.
    associatedtype Identity: Sendable

    /// The routes, several for aliases such as `/r0/` and `/v3/`.
    static var routes: [Route] { get }
    /// Whether a token is needed.
    static var authentication: Authentication<Identity> { get }
    /// The buckets that requests are counted in.
    static var rateLimit: RateLimitClass { get }
    /// Whether requests may wait long for something to happen.
    static var isLongPoll: Bool { get }
    /// How bodies are taken; an endpoint may hold a limit that was configured.
    var body: BodyPolicy { get }

    /// Does what is asked.
    ///
    /// - Throws: ``MatrixError`` for what clients may be told; anything else becomes a 500 without details.
    func handle(_ request: Request, caller: Identity) async throws -> Response
}

extension Endpoint {
    /// ``RateLimitClass/standard``.
    public static var rateLimit: RateLimitClass { .standard }
    /// False.
    public static var isLongPoll: Bool { false }
    /// ``BodyPolicy/json``.
    public var body: BodyPolicy { .json }
}

/// What can be read from a request, or refused with the right error.
public protocol RequestDecodable: Sendable {
    /// Reads a request.
    ///
    /// - Throws: ``MatrixError`` 400.
    init(from input: RequestInput) throws
}

/// What endpoints have in common: who knows tokens, and who counts requests.
public struct EndpointEnvironment: Sendable {
    /// Knows access tokens.
    public var authenticator: any Authenticator
    /// Counts requests.
    public var rateLimiter: RateLimiter
    /// Knows which server a request comes from; `nil` where none is served.
    public var servers: (any ServerAuthenticator)?
    /// Whether a token is that of the service that users sign in at, in this server's place; `nil` where there is none.
    public var isAuthenticationService: (@Sendable (String) -> Bool)?
    /// Whether whoever gets here is an administrator: true of the socket, and of nothing else.
    public var trustsEverybody = false

    /// An environment.
    public init(
        authenticator: any Authenticator, rateLimiter: RateLimiter, servers: (any ServerAuthenticator)? = nil
    ) {
        self.authenticator = authenticator
        self.rateLimiter = rateLimiter
        self.servers = servers
    }
}

extension Router {
    /// Serves an endpoint on all its routes: token, rate limit, decoding, handler, encoding.
    public func add<E: Endpoint>(_ endpoint: E, in environment: EndpointEnvironment) {
        let options = RouteOptions(body: endpoint.body, isLongPoll: E.isLongPoll)
        let authentication = E.authentication
        let rateLimit = E.rateLimit
        for route in E.routes {
            add(route, options: options) { request in
                let known = try await authentication.identify(request, environment)
                if let server = known.server {
                    try environment.rateLimiter.admit(.server(server.name), as: rateLimit)
                } else {
                    try environment.rateLimiter.admit(request, caller: known.caller, as: rateLimit)
                }
                let decoded = try E.Request(from: RequestInput(request, parsedBody: known.server?.body))
                let response = try await endpoint.handle(decoded, caller: known.identity)
                var encoder = ResponseEncoder()
                response.encode(into: &encoder)
                return encoder.response
            }
        }
    }
}
