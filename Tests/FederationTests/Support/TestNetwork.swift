import FederationOutbound
import FederationWire
import Homeserver
import Logging
import Matrix
import NameLookup
import Synchronization
import Testing
import Web

/// A network of the test's own: names, certificates, servers on 127.0.0.1, and a client of `here.example` in it.
final class TestNetwork: Sendable {
    let names: TestNameServer
    let authority: TestAuthority
    let clock = TestClock()
    let signingKey: SigningKey
    let health: RecentFailures
    private let servers = Mutex<[HTTPServer]>([])
    private let clients = Mutex<[FederationClient]>([])

    static let here = ServerName(trusted: "here.example")
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private init() async throws {
        names = try await TestNameServer()
        authority = try TestAuthority.shared.get()
        signingKey = try #require(SigningKey(seed: [UInt8](repeating: 7, count: 32), version: "here"))
        health = RecentFailures(clock: clock)
    }

    /// Runs a test in a network of its own.
    static func run(_ body: (TestNetwork) async throws -> Void) async throws {
        let network = try await TestNetwork()
        do {
            try await body(network)
        } catch {
            await network.stop()
            throw error
        }
        await network.stop()
    }

    private func stop() async {
        for client in clients.withLock({ $0 }) { await client.shutDown() }
        for server in servers.withLock({ $0 }) { await server.shutdown(deadline: .seconds(1)) }
        await names.stop()
    }

    /// Starts an HTTPS server with a certificate of those names, and returns its port.
    func serve(_ certificateNames: [String], on host: String = "127.0.0.1", _ router: Router) async throws -> Int {
        let files = try authority.issue(certificateNames)
        let server = HTTPServer(errors: ErrorRenderer(logger: Self.quiet))
        let bound = try await server.start([
            Listener(
                .tcp(host: host, port: 0),
                tls: TLSFiles(certificateChainPath: files.certificate, privateKeyPath: files.key), router: router)
        ])
        servers.withLock { $0.append(server) }
        return try #require(bound[0].port)
    }

    /// Starts a server of that name, which answers `GET /_matrix/federation/v1/version` with the name.
    ///
    /// - Returns: The server's name with its port.
    func serveVersion(_ host: String, certificate: [String]? = nil) async throws -> ServerName {
        names.set(host, "127.0.0.1")
        let port = try await serve(certificate ?? ["DNS:\(host)"], Self.versionRouter(host))
        return ServerName(trusted: "\(host):\(port)")
    }

    static func versionRouter(_ name: String) -> Router {
        let router = Router()
        router.add(.get("/_matrix/federation/v1/version")) { request in
            let host = request.headers["host"] ?? ""
            let value: JSONValue = ["server": ["name": .string(name), "version": .string(host)]]
            return .json(200, value.serialized())
        }
        return router
    }

    /// A client. Unless said otherwise it may connect to 127.0.0.1.
    func client(
        policy: FederationPolicy = FederationPolicy(mode: .open), allowsPrivateAddresses: Bool = true,
        trustsAuthority: Bool = true, wellKnownPort: Int = 1, maximumPeers: Int = 100, proxy: OutboundProxy? = nil
    ) throws -> FederationClient {
        let client = FederationClient(
            identity: FederationClient.Identity(serverName: Self.here, keys: signingKey), policy: policy,
            surroundings: FederationClient.Surroundings(
                trust: try TrustRoots(additionalFile: trustsAuthority ? authority.certificatePath : nil),
                names: try AresResolver(servers: [names.address], timeoutMilliseconds: 300), proxy: proxy,
                allowsPrivateAddresses: allowsPrivateAddresses, maximumPeers: maximumPeers,
                wellKnownPort: wellKnownPort),
            health: health, clock: clock, randomness: TestRandomness(), logger: Self.quiet)
        clients.withLock { $0.append(client) }
        return client
    }
}

extension FederationClient {
    /// What the server asked says its version is; the tests' servers say the `Host` they were asked by.
    func version(of server: ServerName) async throws(RemoteServerFailure) -> String? {
        try await send(VersionRequest(), to: server).version
    }
}

/// A clock that stands still until it is moved.
final class TestClock: Homeserver.Clock {
    private let time = Mutex<Int64>(1_800_000_000_000)

    var now: Int64 { time.withLock { $0 } }

    func advance(milliseconds: Int64) { time.withLock { $0 += milliseconds } }
}

/// Bytes from a small generator.
final class TestRandomness: Randomness {
    private let state = Mutex<UInt64>(1)

    func bytes(_ count: Int) -> [UInt8] {
        state.withLock { state in
            (0..<count).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 33)
            }
        }
    }
}
