import AsyncHTTPClient
import Homeserver
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// HTTPS connections to other servers, kept open for a while. For each name that a certificate must have and each address there is a
/// client of its own; their number is bounded.
final class HTTPPool: Sendable {
    /// Whom to connect to.
    struct Peer: Sendable, Hashable {
        /// What the certificate must be for.
        let certificateName: Destination.CertificateName
        /// Where to connect to: an address, or through a proxy a name.
        let host: String
    }

    private struct Entry {
        let client: HTTPClient
        var users = 0
        var lastUsedTS: Int64
    }

    private struct State {
        var entries: [Peer: Entry] = [:]
        var isShutDown = false
        var lastSweepTS: Int64 = 0
    }

    private let state = Mutex(State())
    private let trust: TrustRoots
    private let proxy: OutboundProxy?
    private let clock: any Clock
    private let maximumPeers: Int
    private let logger: Logger

    /// A client that nobody has used for so long is shut down.
    private static let idleMilliseconds: Int64 = 120_000
    private static let sweepIntervalMilliseconds: Int64 = 15_000
    private static let connectTimeout = TimeAmount.seconds(10)
    private static let connectionsPerPeer = 16

    init(trust: TrustRoots, proxy: OutboundProxy?, clock: any Clock, maximumPeers: Int, logger: Logger) {
        self.trust = trust
        self.proxy = proxy
        self.clock = clock
        self.maximumPeers = maximumPeers
        self.logger = logger
    }

    /// Whether a proxy connects, and so looks names up.
    var usesProxy: Bool { proxy != nil }

    /// A client for the peer, which must be given back.
    func lease(_ peer: Peer) throws -> Lease {
        let now = clock.now
        let (result, idle) = state.withLock { state -> (Result<HTTPClient, any Error>, [HTTPClient]) in
            if state.isShutDown { return (.failure(HTTPPoolError.shutDown), []) }
            var idle = Self.sweep(&state, now: now)
            if let entry = state.entries[peer] {
                state.entries[peer]?.users += 1
                return (.success(entry.client), idle)
            }
            if state.entries.count >= maximumPeers {
                let unused = state.entries.filter { $0.value.users == 0 }
                guard let oldest = unused.min(by: { $0.value.lastUsedTS < $1.value.lastUsedTS })?.key else {
                    return (.failure(HTTPPoolError.tooManyPeers), idle)
                }
                if let removed = state.entries.removeValue(forKey: oldest) { idle.append(removed.client) }
            }
            let client = makeClient(peer)
            state.entries[peer] = Entry(client: client, users: 1, lastUsedTS: now)
            return (.success(client), idle)
        }
        for client in idle { shutDown(client) }
        return Lease(client: try result.get(), peer: peer, pool: self)
    }

    fileprivate func release(_ peer: Peer) {
        let now = clock.now
        state.withLock { state in
            state.entries[peer]?.users -= 1
            state.entries[peer]?.lastUsedTS = now
        }
    }

    /// Takes out what has been idle for long. The entries are walked now and then only.
    private static func sweep(_ state: inout State, now: Int64) -> [HTTPClient] {
        guard now - state.lastSweepTS >= sweepIntervalMilliseconds || now < state.lastSweepTS else { return [] }
        state.lastSweepTS = now
        let idle = state.entries.filter { $0.value.users == 0 && now - $0.value.lastUsedTS >= idleMilliseconds }
        for peer in idle.keys { state.entries[peer] = nil }
        return idle.values.map(\.client)
    }

    private func shutDown(_ client: HTTPClient) {
        let logger = logger
        client.shutdown { error in
            if let error { logger.warning("connections not closed", metadata: ["error": "\(error)"]) }
        }
    }

    /// Closes all connections. What is under way fails.
    func shutDown() async {
        let clients = state.withLock { state in
            state.isShutDown = true
            defer { state.entries = [:] }
            return state.entries.values.map(\.client)
        }
        for client in clients {
            do { try await client.shutdown() } catch {
                logger.warning("connections not closed", metadata: ["error": "\(error)"])
            }
        }
    }

    private func makeClient(_ peer: Peer) -> HTTPClient {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.trustRoots = trust.roots
        tls.additionalTrustRoots = trust.additional
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: HTTPClient.Configuration.Timeout(connect: Self.connectTimeout)
        )
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.connectionsPerPeer
        // Another address is tried instead.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.idleTimeout = .seconds(50)
        let name = peer.certificateName
        switch name {
        case .domain(let domain): configuration.dnsOverride = [HostName.canonical(domain): peer.host]
        case .address:
            // The library would compare the certificate's address with the proxy's; the check below compares it with the right one.
            if proxy != nil { configuration.tlsConfiguration?.certificateVerification = .noHostnameVerification }
        }
        configuration.http1_1ConnectionDebugInitializer = { channel in TLSIdentity.check(channel, name) }
        configuration.proxy = proxy?.configuration
        return HTTPClient(
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton), configuration: configuration)
    }

    /// A client while it is used. Letting go of it gives it back.
    final class Lease: Sendable {
        let client: HTTPClient
        private let peer: Peer
        private let pool: HTTPPool

        fileprivate init(client: HTTPClient, peer: Peer, pool: HTTPPool) {
            self.client = client
            self.peer = peer
            self.pool = pool
        }

        deinit { pool.release(peer) }
    }
}

/// Why there is no connection, beyond what the network says.
enum HTTPPoolError: Error {
    case shutDown
    case tooManyPeers
}

/// The proxy that all requests to the outside go through.
public struct OutboundProxy: Sendable {
    let configuration: HTTPClient.Configuration.Proxy
    /// Its host and port.
    public var address: (host: String, port: Int) { (configuration.host, configuration.port) }

    /// Reads `http://host:port`, perhaps with `user:password@` before the host; `nil` if it is none.
    public init?(_ url: String) {
        let scheme = "http://"
        guard url.hasPrefix(scheme) else { return nil }
        var rest = url.dropFirst(scheme.count)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        let parts = rest.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard let last = parts.last, let colon = last.lastIndex(of: ":"), colon != last.startIndex,
            let port = Int(last[last.index(after: colon)...]), (1...65_535).contains(port)
        else { return nil }
        let host = String(last[..<colon])
        guard parts.count == 2 else {
            configuration = .server(host: host, port: port)
            return
        }
        let user = parts[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard user.count == 2 else { return nil }
        configuration = .server(
            host: host, port: port, authorization: .basic(username: user[0], password: user[1]))
    }
}
