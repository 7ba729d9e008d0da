import Matrix

/// The server that makes a request, proved by its signature.
public struct RemoteServer: Sendable, Hashable {
    /// Its name.
    public let name: ServerName
    /// The request's body, as it was parsed to verify the signature; `nil` without one.
    public let body: JSON?

    /// A server.
    public init(name: ServerName, body: JSON? = nil) {
        self.name = name
        self.body = body
    }

    /// Whether the two are the same server, whatever they ask.
    public static func == (left: RemoteServer, right: RemoteServer) -> Bool { left.name == right.name }
    /// Feeds what makes two equal.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// Knows which server a request comes from.
public protocol ServerAuthenticator: Sendable {
    /// The server that has signed a request.
    ///
    /// - Parameter request: The request, its body buffered: the signature covers it.
    /// - Throws: ``Matrix/MatrixError`` 401 `M_UNAUTHORIZED` without a valid signature for this server, 403 `M_FORBIDDEN` for a server
    ///   that this one does not federate with.
    func authenticate(_ request: HTTPRequest) async throws -> RemoteServer
}

extension Authentication where Identity == RemoteServer {
    /// The request must be signed by another server.
    ///
    /// [Request authentication](https://spec.matrix.org/v1.19/server-server-api/#request-authentication).
    public static var server: Self {
        Self { request, environment in
            guard let servers = environment.servers else { throw MatrixError.unrecognized }
            let server = try await servers.authenticate(request)
            return Identified(identity: server, server: server)
        }
    }
}
