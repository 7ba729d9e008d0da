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
        let page = """
            <!DOCTYPE html>
            <html lang="en">
            <head><meta charset="utf-8"><title>\(Self.escaped(serverName.string))</title>
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <style>body{font:1rem/1.6 sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}code{background:#eee;padding:.1em .3em}</style>
            </head>
            <body>
            <h1>\(Self.escaped(serverName.string))</h1>
            <p>This is a <a href="https://matrix.org">Matrix</a> homeserver. It runs Chappe.</p>
            <p>To use it, open a Matrix client such as Element, choose to sign in on another server, and enter
            <code>\(Self.escaped(address))</code>. User names here end in <code>:\(Self.escaped(serverName.string))</code>.</p>
            </body>
            </html>

            """
        return HTTPResponse(
            status: 200,
            headers: [
                "content-type": "text/html; charset=utf-8",
                "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
            ],
            body: .bytes(Array(page.utf8))
        )
    }

    private static func escaped(_ text: String) -> String {
        var out = ""
        for character in text {
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            default: out.append(character)
            }
        }
        return out
    }
}
