import Logging
import Matrix
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// An HTTP/1.1 server on one or more listeners.
///
/// Handlers run in a task on the event loop of their connection and must not block or compute for long: what takes more than a
/// millisecond belongs on other threads.
public final class HTTPServer: Sendable {
    /// What the server counts.
    public let metrics: HTTPMetrics

    private let context: ServerContext
    private let group: MultiThreadedEventLoopGroup
    private let loops: [ObjectIdentifier: LoopContext]
    private let logger: Logger
    private let connectionCount = Atomic<UInt64>(0)
    private let state = Mutex(State())

    private struct State {
        var channels: [any Channel] = []
        var credentials: [TLSCredentials] = []
        var socketPaths: [String] = []
        var isStopped = false
    }

    /// A server that does not listen yet.
    ///
    /// - Parameters:
    ///   - configuration: Limits and patience.
    ///   - errors: Turns what handlers throw into responses.
    ///   - metrics: What to count in.
    ///   - logger: A line per request goes to its debug level.
    public init(
        configuration: HTTPServerConfiguration = HTTPServerConfiguration(), errors: ErrorRenderer = ErrorRenderer(),
        metrics: HTTPMetrics = HTTPMetrics(), logger: Logger = Logger(label: "chappe.http")
    ) {
        self.metrics = metrics
        self.logger = logger
        context = ServerContext(
            configuration: configuration, errors: errors, metrics: metrics, accessLog: AccessLog(logger: logger))
        group = MultiThreadedEventLoopGroup(
            numberOfThreads: configuration.threads > 0 ? configuration.threads : System.coreCount)
        var loops: [ObjectIdentifier: LoopContext] = [:]
        for loop in group.makeIterator() {
            let context = LoopContext(loop)
            context.startSweeping(every: TimeAmount(configuration.sweepInterval))
            loops[ObjectIdentifier(loop)] = context
        }
        self.loops = loops
    }

    /// Listens. If one listener fails, none stays open.
    ///
    /// - Returns: The addresses in the listeners' order.
    /// - Throws: What the system or NIOSSL says of an address or a certificate that cannot be used.
    public func start(_ listeners: [Listener]) async throws -> [BoundAddress] {
        var bound: [BoundAddress] = []
        do {
            for listener in listeners { bound.append(try await listen(listener)) }
        } catch {
            await stopListening()
            throw error
        }
        return bound
    }

    /// Reads all certificates and keys again; connections that are open keep theirs.
    ///
    /// - Throws: What NIOSSL says of files it cannot use; those listeners keep the old certificate.
    public func reloadCertificates() throws {
        var failure: (any Error)?
        for credentials in state.withLock({ $0.credentials }) {
            do { try credentials.reload() } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Stops: accepts nothing new, cancels the tasks of long polls, waits for what is under way, closes.
    ///
    /// - Parameter deadline: How long to wait for requests under way before they are broken off.
    public func shutdown(deadline: Duration) async {
        guard
            state.withLock({ state in
                defer { state.isStopped = true }
                return !state.isStopped
            })
        else { return }
        await stopListening()
        await onEachLoop { $0.drain() }
        let end = ContinuousClock.now + deadline
        while metrics.connections > 0, ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(10)) } catch { break }
        }
        await onEachLoop { $0.closeAll() }
        do {
            try await group.shutdownGracefully()
        } catch {
            logger.warning("event loops did not stop", metadata: ["error": "\(error)"])
        }
    }

    private func onEachLoop(_ body: @escaping @Sendable (LoopContext) -> Void) async {
        for context in loops.values {
            // Fails only once the loop has ended, and then nothing is left to do on it.
            _ = try? await context.loop.submit { body(context) }.get()
        }
    }

    private func stopListening() async {
        let (channels, paths) = state.withLock { state in
            defer { (state.channels, state.socketPaths) = ([], []) }
            return (state.channels, state.socketPaths)
        }
        for channel in channels { try? await channel.close() }
        for path in paths { unlink(path) }
    }

    private func listen(_ listener: Listener) async throws -> BoundAddress {
        let credentials = try listener.tls.map { try TLSCredentials($0) }
        metrics.register(listener.router)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            // The buffer is kept as long as the connection, and most of those only wait.
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 512, maximum: 65_536)
            )
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    try accept(channel, router: listener.router, credentials: credentials)
                }
            }
        let channel: any Channel
        let bound: BoundAddress
        switch listener.address {
        case .tcp(let host, let port):
            channel = try await bootstrap.childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .bind(host: host, port: port).get()
            bound = .tcp(host: channel.localAddress?.ipAddress ?? host, port: channel.localAddress?.port ?? port)
        case .unixSocket(let path):
            // The mask closes the moment between the socket's creation and the change of its mode.
            let mask = umask(0o177)
            defer { umask(mask) }
            channel = try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
            chmod(path, 0o600)
            bound = .unixSocket(path: path)
            state.withLock { $0.socketPaths.append(path) }
        }
        state.withLock { state in
            state.channels.append(channel)
            if let credentials { state.credentials.append(credentials) }
        }
        return bound
    }

    private func accept(_ channel: any Channel, router: Router, credentials: TLSCredentials?) throws {
        guard let loop = loops[ObjectIdentifier(channel.eventLoop)],
            metrics.openConnection(limit: context.configuration.maximumConnections)
        else { throw TooManyConnections() }
        let pipeline = channel.pipeline.syncOperations
        do {
            if let credentials { try pipeline.addHandler(NIOSSLServerHandler(context: credentials.context)) }
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = context.configuration.maximumHeaderFieldBytes
            limits.maxHeaderListSize = context.configuration.maximumHeaderBytes
            limits.maxHeaderFieldCount = context.configuration.maximumHeaderFields
            let decoder = HTTPRequestDecoder(
                leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop, limitConfiguration: limits)
            try pipeline.addHandler(ByteToMessageHandler(decoder))
        } catch {
            metrics.closeConnection()
            throw error
        }
        try pipeline.addHandler(
            ConnectionHandler(
                server: context, loop: loop, router: router, isTLS: credentials != nil,
                number: connectionCount.wrappingAdd(1, ordering: .relaxed).newValue,
                peerAddress: channel.remoteAddress?.ipAddress ?? ""))
    }
}

/// The bound on connections is reached; the new one is closed.
private struct TooManyConnections: Error {}
