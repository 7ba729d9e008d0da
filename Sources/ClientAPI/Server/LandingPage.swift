import Matrix
import Web

/// `GET /`: what this server is, for people who find it with a browser. Clients find it by
/// [server discovery](https://spec.matrix.org/v1.19/client-server-api/#server-discovery).
public struct LandingPage: Endpoint {
    /// `/`
    public static let routes = [Route.get("/")]
    /// Open to everybody.
    public static let authentication = Authentication<Anonymous>.none
    /// Not limited: it costs nothing.
    public static let rateLimit = RateLimitClass.none

    private let serverName: ServerName
    private let baseURL: String?

    /// - Parameters:
    ///   - serverName: The server's name.
    ///   - baseURL: Where clients reach it from outside.
    public init(serverName: ServerName, baseURL: String?) {
        self.serverName = serverName
        self.baseURL = baseURL
    }

    /// Nothing is asked.
    public struct Request: RequestDecodable {
        /// There is nothing to decode.
        public init(from input: RequestInput) throws {}
    }

    /// The page.
    public func handle(_ request: Request, caller: Anonymous) async throws -> HTTPResponse {
        let address = baseURL ?? "https://\(serverName)"
        return Page.response(
            title: serverName.string,
            body: """
                <p>This is a <a href="https://matrix.org">Matrix</a> homeserver. It runs Chappe.</p>
                <p>To use it, open a Matrix client such as Element, choose to sign in on another server, and enter
                <code>\(Page.escaped(address))</code>. User names here end in <code>:\(Page.escaped(serverName.string))</code>.</p>
                """
        )
    }
}
