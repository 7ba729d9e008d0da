import Matrix

/// Tells push gateways of notifications.
///
/// [Push Gateway API](https://spec.matrix.org/v1.19/push-gateway-api/)
public protocol PushGateway: Sendable {
    /// Posts a notification.
    ///
    /// - Parameters:
    ///   - body: The text of a JSON object.
    ///   - gateway: Where to. Its address was chosen by a client: it must not lead into networks that only this server can reach.
    /// - Throws: ``PushGatewayFailure`` if there is no answer in time.
    func notify(_ body: [UInt8], at gateway: PushGatewayAddress) async throws(PushGatewayFailure) -> PushGatewayAnswer
}

/// What a push gateway has answered.
public struct PushGatewayAnswer: Sendable, Hashable {
    /// The HTTP status.
    public let status: Int
    /// The body.
    public let body: [UInt8]

    /// An answer.
    public init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }
}

/// Why there is no answer.
public enum PushGatewayFailure: Error, Sendable, Hashable {
    /// The gateway is at none of the addresses that may be connected to.
    case forbiddenAddress
    /// It cannot be reached, or does not answer in time; the text is for the log.
    case unreachable(String)
}

/// Where a push gateway is.
///
/// [PusherData](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3pushersset): HTTPS, and a path of its own.
public struct PushGatewayAddress: Sendable, Hashable {
    /// The address as it was given.
    public let url: String
    /// Whether it is `https`.
    public let isSecure: Bool
    /// The host in lower case; an IPv6 address in brackets.
    public let host: String
    /// The port.
    public let port: Int
    /// The path and the query.
    public let target: String

    /// Which gateway it is: what is at the same host and port fails together.
    public var origin: ExactString { ExactString("\(host):\(port)") }

    /// The address that a URL is, or `nil` if no gateway can be there. Without TLS they can be on this machine only.
    public init?(_ url: String) {
        guard url.utf8.count <= 2_048, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        isSecure = url.hasPrefix("https://")
        guard isSecure || url.hasPrefix("http://") else { return nil }
        let rest = url.dropFirst(isSecure ? 8 : 7)
        guard let slash = rest.firstIndex(of: "/"), let authority = ServerName(String(rest[..<slash])) else {
            return nil
        }
        target = String(rest[slash...].prefix { $0 != "#" })
        guard target.prefix(while: { $0 != "?" }) == "/_matrix/push/v1/notify" else { return nil }
        self.url = url
        let host = authority.host.lowercased()
        // A name that ends with a dot is the same name; certificates are for the one without.
        self.host = host.hasSuffix(".") ? String(host.dropLast()) : host
        port = authority.port ?? (isSecure ? 443 : 80)
        guard (1...65_535).contains(port), isSecure || Self.isLoopback(self.host) else { return nil }
    }

    private static func isLoopback(_ host: String) -> Bool {
        let name = ExactString(host)
        return name == "localhost" || name == "[::1]" || name == "127.0.0.1"
    }
}
