import AsyncHTTPClient
import Homeserver
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import NameLookup
import Synchronization

/// HTTP clients that connect to an address that was found good, whatever the name resolves to by then: one for each host and address, in
/// bounded number, closed when nobody has used them for a while.
final class PinnedClients: Sendable {
    private struct Peer: Hashable {
        let host: String
        let address: InternetAddress?
    }

    private struct Entry {
        let client: HTTPClient
        var users = 0
        var lastUsedTimestamp: Int64
    }

    private struct State {
        var entries: [Peer: Entry] = [:]
        var isClosed = false
    }

    private let configuration: HTTPClient.Configuration
    private let clock: any Clock
    private let logger: Logger
    private let state = Mutex(State())

    private static let maximumClients = 64
    private static let connectionsPerHost = 16
    private static let idleMilliseconds: Int64 = 120_000
    private static let connectTimeout = TimeAmount.seconds(5)

    /// No client can be had.
    enum Failure: Error {
        case closed
        case tooManyHosts
    }

    init(verifiesTLS: Bool, proxy: (host: String, port: Int)?, clock: any Clock, logger: Logger) {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if !verifiesTLS { tls.certificateVerification = .none }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow, timeout: .init(connect: Self.connectTimeout))
        configuration.httpVersion = .http1Only
        // Another address is tried instead, or the same one later.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.idleTimeout = .seconds(50)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.connectionsPerHost
        configuration.proxy = proxy.map { .server(host: $0.host, port: $0.port) }
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    /// A client for a host at an address; `nil`: where a proxy finds it.
    func lease(host: String, address: InternetAddress?) throws -> Lease {
        let peer = Peer(host: host, address: address)
        let now = clock.now
        let (result, unused) = state.withLock { state -> (Result<HTTPClient, Failure>, [HTTPClient]) in
            if state.isClosed { return (.failure(.closed), []) }
            let free = state.entries.filter { $0.value.users == 0 && $0.key != peer }
            var gone = free.filter { now - $0.value.lastUsedTimestamp >= Self.idleMilliseconds }.map(\.key)
            if gone.isEmpty, state.entries[peer] == nil, state.entries.count >= Self.maximumClients {
                let oldest = free.min { $0.value.lastUsedTimestamp < $1.value.lastUsedTimestamp }
                guard let oldest else { return (.failure(.tooManyHosts), []) }
                gone = [oldest.key]
            }
            let unused = gone.compactMap { state.entries.removeValue(forKey: $0)?.client }
            var entry = state.entries[peer] ?? Entry(client: client(for: peer), lastUsedTimestamp: now)
            entry.users += 1
            state.entries[peer] = entry
            return (.success(entry.client), unused)
        }
        for client in unused { shutDown(client) }
        return Lease(try result.get()) { [weak self] in self?.release(peer) }
    }

    private func client(for peer: Peer) -> HTTPClient {
        var configuration = configuration
        if let address = peer.address, InternetAddress(peer.host) == nil {
            configuration.dnsOverride = [peer.host: address.description]
        }
        return HTTPClient(
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton), configuration: configuration)
    }

    private func release(_ peer: Peer) {
        let now = clock.now
        state.withLock { state in
            state.entries[peer]?.users -= 1
            state.entries[peer]?.lastUsedTimestamp = now
        }
    }

    private func shutDown(_ client: HTTPClient) {
        let logger = logger
        client.shutdown { error in
            if let error { logger.warning("connections not closed", metadata: ["error": "\(error)"]) }
        }
    }

    /// Closes all connections. What is under way fails.
    func close() async {
        let clients = state.withLock { state in
            state.isClosed = true
            defer { state.entries = [:] }
            return state.entries.values.map(\.client)
        }
        for client in clients {
            do { try await client.shutdown() } catch {
                logger.warning("connections not closed", metadata: ["error": "\(error)"])
            }
        }
    }

    /// A client while it is used. Letting go of it gives it back.
    final class Lease: Sendable {
        let client: HTTPClient
        private let release: @Sendable () -> Void

        init(_ client: HTTPClient, release: @escaping @Sendable () -> Void) {
            self.client = client
            self.release = release
        }

        deinit { release() }
    }
}
