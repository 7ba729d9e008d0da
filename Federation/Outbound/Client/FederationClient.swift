import AsyncHTTPClient
import FederationWire
import Homeserver
import Logging
import Matrix
import NIOCore
import NIOHTTP1
import Synchronization

/// Makes requests to other servers: finds them, signs, sends, reads the answer within its bounds.
public final class FederationClient: Sendable {
    private let identity: Identity
    private let policy: FederationPolicy
    private let pool: HTTPPool
    let resolver: ServerResolver
    let endpoints: EndpointFinder
    let health: any DestinationHealth
    private let logger: Logger
    private let listeners = Mutex<[@Sendable (ServerName) -> Void]>([])
    /// Requests under way, so that they can be bounded.
    private let open = Mutex(0)

    static let userAgent = "Chappe"
    private static let maximumOpen = 2_000
    private static let errorBytes = 64 << 10

    /// A client.
    ///
    /// - Parameters:
    ///   - identity: Who makes the requests.
    ///   - policy: To whom requests may be made.
    ///   - surroundings: What they are made with.
    ///   - health: Knows which servers are down.
    ///   - clock: Tells how old what is remembered is.
    ///   - randomness: Chooses among a service's targets.
    ///   - logger: Takes note of servers that do not answer.
    public init(
        identity: Identity, policy: FederationPolicy, surroundings: Surroundings, health: any DestinationHealth,
        clock: any Clock, randomness: any Randomness, logger: Logger
    ) {
        self.identity = identity
        self.policy = policy
        self.health = health
        self.logger = logger
        let pool = HTTPPool(
            trust: surroundings.trust, proxy: surroundings.proxy, clock: clock,
            maximumPeers: surroundings.maximumPeers, logger: logger)
        let endpoints = EndpointFinder(
            names: surroundings.names, allowsPrivateAddresses: surroundings.allowsPrivateAddresses,
            usesProxy: pool.usesProxy)
        self.pool = pool
        self.endpoints = endpoints
        resolver = ServerResolver(
            names: surroundings.names,
            wellKnown: WellKnownResolver(
                pool: pool, endpoints: endpoints, clock: clock, port: surroundings.wellKnownPort),
            endpoints: endpoints, clock: clock, randomness: randomness, logger: logger
        )
    }

    /// Calls `listener` whenever a server has done what was asked of it, or has made a request of its own. A server that only refuses,
    /// or whose proxy answers, is no reason to hurry.
    public func whenReachable(_ listener: @escaping @Sendable (ServerName) -> Void) {
        listeners.withLock { $0.append(listener) }
    }

    /// Takes note that a server is there, as a request that it made has shown.
    public func noteReachable(_ server: ServerName) {
        health.noteReachable(server)
        for listener in listeners.withLock({ $0 }) { listener(server) }
    }

    /// Closes all connections. What is under way fails.
    public func shutDown() async { await pool.shutDown() }

    // MARK: Requests

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - server: Whom to ask.
    ///   - evenIfDown: Whether to ask a server that is known to be down: for whoever has a schedule of its own.
    /// - Throws: ``Homeserver/RemoteServerFailure`` if there is no answer of status 200 and of the right form.
    public func send<Request: FederationRequest>(
        _ request: Request, to server: ServerName, evenIfDown: Bool = false
    ) async throws(RemoteServerFailure) -> Request.Response {
        let outgoing = try sign(request, for: server)
        let limit = request.responseLimitBytes
        let bytes = try await perform(
            outgoing, at: server, evenIfDown: evenIfDown, timeoutMilliseconds: request.timeoutMilliseconds
        ) { response in
            guard response.status == 200 else { throw try await Self.refusal(response, of: server) }
            guard let bytes = try await response.collect(atMost: limit) else {
                throw RemoteServerFailure(
                    status: 502, code: .tooLarge, message: "The answer of \(server) is too large", isAnswer: true)
            }
            return bytes
        }
        do {
            return try request.decode(try JSON(parsing: bytes, options: .federation))
        } catch {
            logger.info("an answer cannot be used", metadata: ["server": "\(server)", "reason": "\(error)"])
            throw RemoteServerFailure(
                status: 502, message: "The answer of \(server) cannot be used: \(Self.describe(error))", isAnswer: true)
        }
    }

    /// Makes a request whose answer is read by the caller while it arrives.
    ///
    /// - Parameter timeoutMilliseconds: How long to wait for the head of the answer.
    /// - Throws: ``Homeserver/RemoteServerFailure`` if there is no answer of a status below 400.
    func open(
        _ target: RequestTarget, isSigned: Bool, at server: ServerName, timeoutMilliseconds: Int64
    ) async throws(RemoteServerFailure) -> IncomingResponse {
        let outgoing = try sign("GET", target.description, body: nil, isSigned: isSigned, for: server)
        return try await perform(outgoing, at: server, evenIfDown: false, timeoutMilliseconds: timeoutMilliseconds) {
            response in
            guard response.status < 400 else { throw try await Self.refusal(response, of: server) }
            return response
        }
    }

    /// Gets what a URL leads to, which need not be a Matrix server.
    func open(_ address: HTTPSAddress, timeoutMilliseconds: Int64) async throws(RemoteServerFailure) -> IncomingResponse
    {
        let request = OutgoingRequest(
            method: "GET", host: address.hostField, target: address.target,
            headers: [("User-Agent", Self.userAgent)])
        do {
            return try await within(milliseconds: timeoutMilliseconds) { [self] in
                let (found, _) = try await endpoints.endpoints(
                    of: address.host, port: address.port, certificateName: address.certificateName)
                return try await pool.exchange(request, with: found[0].peer, port: found[0].port)
            }
        } catch {
            throw RemoteServerFailure(status: 502, message: "A redirect leads to where there is no answer")
        }
    }

    // MARK: Steps

    private func sign(
        _ request: some FederationRequest, for server: ServerName
    ) throws(RemoteServerFailure) -> OutgoingRequest {
        try sign(
            request.method.rawValue, request.target.description, body: request.body, isSigned: request.isSigned,
            for: server)
    }

    private func sign(
        _ method: String, _ target: String, body: [UInt8]?, isSigned: Bool, for server: ServerName
    ) throws(RemoteServerFailure) -> OutgoingRequest {
        var outgoing = OutgoingRequest(method: method, host: "", target: target)
        outgoing.headers = [("User-Agent", Self.userAgent), ("Accept", "application/json")]
        do {
            if let body {
                // Sent as it is signed: written once.
                outgoing.body = CanonicalJSON.text(of: try JSON(parsing: body, options: .stored))
                outgoing.headers.append(("Content-Type", "application/json"))
            }
            guard isSigned else { return outgoing }
            let signed = SignedRequest(
                method: method, target: target, origin: identity.serverName, destination: server,
                content: outgoing.body)
            outgoing.headers.append(("Authorization", try signed.sign(with: identity.keys.signingKey).field))
            return outgoing
        } catch {
            throw RemoteServerFailure(status: 500, message: "The request cannot be signed")
        }
    }

    /// Sends a request to where the server is, and reads the answer, all within the time given.
    private func perform<Value: Sendable>(
        _ request: OutgoingRequest, at server: ServerName, evenIfDown: Bool, timeoutMilliseconds: Int64,
        reading read: @escaping @Sendable (IncomingResponse) async throws -> Value
    ) async throws(RemoteServerFailure) -> Value {
        try check(server, evenIfDown: evenIfDown)
        guard enter() else { throw RemoteServerFailure(message: "Too many requests to other servers are under way") }
        defer { leave() }
        let failure: any Error
        do {
            let value = try await within(milliseconds: timeoutMilliseconds) { [self] in
                let route = try await resolver.route(to: server)
                return try await read(try await exchange(request, over: route, with: server))
            }
            noteReachable(server)
            return value
        } catch {
            failure = error
        }
        // A caller who goes away says nothing about the server.
        if Task.isCancelled { throw RemoteServerFailure(message: "The request was given up") }
        if let answer = failure as? RemoteServerFailure, answer.isSignOfLife {
            health.noteReachable(server)
            throw answer
        }
        health.noteUnreachable(server)
        logger.info("a server does not answer", metadata: ["server": "\(server)", "reason": "\(failure)"])
        switch failure {
        case let failure as RemoteServerFailure: throw failure
        case is DeadlineExceeded:
            throw RemoteServerFailure(status: 504, message: "\(server) does not answer in time")
        default: throw RemoteServerFailure(status: 502, message: "\(server) cannot be reached")
        }
    }

    private func check(_ server: ServerName, evenIfDown: Bool) throws(RemoteServerFailure) {
        guard server != identity.serverName else {
            throw RemoteServerFailure(status: 500, message: "This server does not make requests to itself")
        }
        guard policy.permits(server) else {
            throw RemoteServerFailure(
                status: 403, code: .forbidden, message: "This server does not federate with \(server)")
        }
        guard evenIfDown || health.mayAsk(server) else {
            throw RemoteServerFailure(message: "\(server) has not answered lately")
        }
    }

    /// Tries one endpoint after the other until one takes the request.
    private func exchange(
        _ request: OutgoingRequest, over route: Route, with server: ServerName
    ) async throws -> IncomingResponse {
        var request = request
        request.host = route.hostField
        var failure: any Error = DeadlineExceeded()
        for endpoint in route.endpoints {
            // Every request of the server-server API may be repeated; one that was sent on a connection that the server closed just
            // then is.
            for isLast in [false, true] {
                do {
                    let response = try await pool.exchange(request, with: endpoint.peer, port: endpoint.port)
                    resolver.prefer(endpoint, for: server)
                    return response
                } catch {
                    failure = error
                    if Task.isCancelled { throw error }
                    guard !isLast, (error as? HTTPClientError) == .remoteConnectionClosed else { break }
                }
            }
        }
        resolver.forget(server)
        throw failure
    }

    private func enter() -> Bool {
        open.withLock { open in
            guard open < Self.maximumOpen else { return false }
            open += 1
            return true
        }
    }

    private func leave() { open.withLock { $0 -= 1 } }

    // MARK: Errors

    /// What an answer says that is not what was asked for.
    private static func refusal(
        _ response: IncomingResponse, of server: ServerName
    ) async throws -> RemoteServerFailure {
        let json = try await response.collect(atMost: errorBytes).flatMap { try? JSON(parsing: $0) }
        let seconds = response.headers.first(name: "retry-after").flatMap { Int64($0) }
        let retry = json?["retry_after_ms"]?.int ?? seconds.map { min(max($0, 0), 1 << 32) * 1_000 }
        let status = response.status
        return RemoteServerFailure(
            status: (300..<600).contains(status) ? status : 502,
            code: (json?["errcode"]?.string).flatMap { $0.utf8.count <= 255 ? ErrorCode($0) : nil },
            message: (json?["error"]?.string).map { String($0.prefix(1_000)) }
                ?? "\(server) answers with status \(status)",
            isAnswer: true, retryAfterMilliseconds: retry.map { max($0, 0) }, roomVersion: json?["room_version"]?.string
        )
    }

    private static func describe(_ error: any Error) -> String {
        switch error {
        case let error as MalformedAnswer: "it \(error.message)"
        default: "it is not JSON"
        }
    }
}

extension RemoteServerFailure {
    /// Whether a Matrix server has answered, not only a proxy before one that is down.
    fileprivate var isSignOfLife: Bool { isAnswer && (code != nil || ![502, 503, 504].contains(status)) }
}
