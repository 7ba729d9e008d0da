import NIOCore

/// Limits and patience of the HTTP server. Every bound that a client could press against is here.
public struct HTTPServerConfiguration: Sendable {
    /// Threads that run connections and their handlers; 0 for one per core.
    public var threads = 0
    /// Connections beyond this are closed at once.
    public var maximumConnections = 16_384
    /// The longest request line or single header field, in bytes: 431 beyond.
    public var maximumHeaderFieldBytes = 16 << 10
    /// The longest head, in bytes: 431 beyond.
    public var maximumHeaderBytes = 64 << 10
    /// The most header fields: 431 beyond.
    public var maximumHeaderFields = 100
    /// How long a head may take from its first bytes to its end, and a new connection to send its first head.
    public var headTimeout: Duration = .seconds(20)
    /// How long a buffered body may take as a whole, and a streamed one between two pieces.
    public var bodyTimeout: Duration = .seconds(60)
    /// How long a connection may stay open between requests.
    public var keepAliveTimeout: Duration = .seconds(75)
    /// How long a client may take nothing of a response that is ready.
    public var writeTimeout: Duration = .seconds(60)
    /// How long, after a refusal, what the client still sends is thrown away so that it can read the refusal.
    public var lingerTimeout: Duration = .seconds(2)
    /// How often deadlines are looked at, which is also their precision.
    public var sweepInterval: Duration = .seconds(1)
    /// Whether JSON and text are compressed for clients that accept gzip.
    public var compression = true
    /// The smallest body that is compressed, in bytes.
    public var compressionMinimumBytes = 1 << 10
    /// Whose `X-Forwarded-For` is believed.
    public var trustedProxies = TrustedProxies.loopback

    /// The defaults.
    public init() {}
}

/// Where the server listens, and which routes it serves there.
public struct Listener: Sendable {
    /// Where to listen.
    public enum Address: Sendable, Hashable {
        /// TCP; port 0 takes a free one.
        case tcp(host: String, port: Int)
        /// A Unix socket that only the process's own user can open.
        case unixSocket(path: String)
    }

    /// Where to listen.
    public var address: Address
    /// The certificate to use TLS with, if any.
    public var tls: TLSFiles?
    /// The routes: those of the groups that the listener serves.
    public var router: Router

    /// A listener.
    public init(_ address: Address, tls: TLSFiles? = nil, router: Router) {
        self.address = address
        self.tls = tls
        self.router = router
    }
}

/// The files of a TLS certificate, in PEM format.
public struct TLSFiles: Sendable, Hashable {
    /// The certificate, followed by its chain.
    public var certificateChainPath: String
    /// The private key.
    public var privateKeyPath: String

    /// Files.
    public init(certificateChainPath: String, privateKeyPath: String) {
        self.certificateChainPath = certificateChainPath
        self.privateKeyPath = privateKeyPath
    }
}

/// Where a listener listens in fact.
public enum BoundAddress: Sendable, Hashable {
    /// The address and the port that was taken.
    case tcp(host: String, port: Int)
    /// The socket's path.
    case unixSocket(path: String)

    /// The port, for TCP.
    public var port: Int? {
        guard case .tcp(_, let port) = self else { return nil }
        return port
    }
}

/// What the listeners and connections of one server share.
final class ServerContext: Sendable {
    let configuration: HTTPServerConfiguration
    let errors: ErrorRenderer
    let metrics: HTTPMetrics
    let accessLog: AccessLog
    let timeouts: Timeouts

    /// The configuration's durations as NIO counts them, once.
    struct Timeouts: Sendable {
        let head: TimeAmount
        let body: TimeAmount
        let keepAlive: TimeAmount
        let write: TimeAmount
        let linger: TimeAmount
    }

    init(configuration: HTTPServerConfiguration, errors: ErrorRenderer, metrics: HTTPMetrics, accessLog: AccessLog) {
        self.configuration = configuration
        self.errors = errors
        self.metrics = metrics
        self.accessLog = accessLog
        timeouts = Timeouts(
            head: TimeAmount(configuration.headTimeout), body: TimeAmount(configuration.bodyTimeout),
            keepAlive: TimeAmount(configuration.keepAliveTimeout), write: TimeAmount(configuration.writeTimeout),
            linger: TimeAmount(configuration.lingerTimeout))
    }
}
