import AsyncHTTPClient
import Homeserver
import Logging
import Matrix
import NIOCore
import NIOSSL
import Synchronization

/// Requests to services that the configuration names: where users sign in, who judges captchas.
///
/// Their addresses are the administrator's choice, and so may be private ones; what a stranger could choose does not belong here.
public final class OutsideRequests: Sendable {
    /// An answer.
    public struct Answer: Sendable {
        /// The status.
        public let status: Int
        /// The body.
        public let body: [UInt8]
        /// When to ask again, in seconds, if it says so.
        public var retryAfterSeconds: Int64?
    }

    private enum State {
        case unused
        case open(HTTPClient)
        case closed
    }

    private static let timeout = TimeAmount.seconds(10)
    static let maximumBytes = 1 << 20

    private let configuration: HTTPClient.Configuration
    private let logger: Logger
    private let state = Mutex(State.unused)

    /// - Parameters:
    ///   - verifiesTLS: Whether certificates are verified. Only tests say no.
    ///   - proxy: An HTTP proxy, host and port.
    ///   - idleSeconds: How long an answer may be waited for in silence, unless a request says less.
    ///   - logger: Told of what fails.
    public init(
        verifiesTLS: Bool, proxy: (host: String, port: Int)?, idleSeconds: Int64 = 10, logger: Logger
    ) {
        var tls = TLSConfiguration.makeClientConfiguration()
        if !verifiesTLS { tls.certificateVerification = .none }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: Self.timeout, read: .seconds(idleSeconds))
        )
        // Whoever waits is told at once rather than after several attempts.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.proxy = proxy.map { .server(host: $0.host, port: $0.port) }
        self.configuration = configuration
        self.logger = logger
    }

    /// GET.
    ///
    /// - Throws: `MatrixError` 503 if there is no answer.
    public func get(_ url: String) async throws -> Answer { try await send(HTTPClientRequest(url: url)) }

    /// POST of a form.
    ///
    /// - Throws: `MatrixError` 503 if there is no answer.
    public func post(_ url: String, form: [(name: String, value: String)]) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        let text = form.map { "\(URLText.encoded($0.name))=\(URLText.encoded($0.value))" }.joined(separator: "&")
        request.body = .bytes(ByteBuffer(string: text))
        return try await send(request)
    }

    /// Makes any request of a service that the configuration names, and waits for what comes of it.
    ///
    /// - Returns: The answer; `nil` if there is none in time.
    func answer(to request: HTTPClientRequest, timeoutMilliseconds: Int64) async -> Answer? {
        guard let client = client() else { return nil }
        let address = String(request.url.prefix { $0 != "?" })
        do {
            // The deadline of the client's own ends with the head.
            return try await within(milliseconds: timeoutMilliseconds, else: CancellationError()) {
                let response = try await client.execute(request, timeout: .milliseconds(timeoutMilliseconds))
                let body = try await response.body.collect(upTo: Self.maximumBytes)
                return Answer(
                    status: Int(response.status.code), body: Array(body.readableBytesView),
                    retryAfterSeconds: response.headers.first(name: "Retry-After").flatMap { Int64($0) }
                        .map { min(max($0, 0), 86_400) })
            }
        } catch {
            logger.error("no answer from outside", metadata: ["address": "\(address)", "error": "\(error)"])
            return nil
        }
    }

    private func send(_ request: HTTPClientRequest) async throws -> Answer {
        guard let client = client() else { throw MatrixError.unavailable() }
        do {
            let response = try await client.execute(request, timeout: Self.timeout)
            let body = try await response.body.collect(upTo: Self.maximumBytes)
            return Answer(status: Int(response.status.code), body: Array(body.readableBytesView))
        } catch {
            // The address may hold a ticket.
            let address = String(request.url.prefix { $0 != "?" })
            logger.error("no answer from outside", metadata: ["address": "\(address)", "error": "\(error)"])
            throw MatrixError.unavailable("A service that this needs does not answer; try again later")
        }
    }

    /// Made when it is first needed: most servers never do.
    func client() -> HTTPClient? {
        state.withLock { state in
            switch state {
            case .open(let client): return client
            case .closed: return nil
            case .unused:
                let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
                state = .open(client)
                return client
            }
        }
    }

    /// Ends what is open. No request is sent after.
    public func close() async throws {
        let client = state.withLock { state -> HTTPClient? in
            defer { state = .closed }
            if case .open(let client) = state { return client }
            return nil
        }
        try await client?.shutdown()
    }
}

/// Texts in queries and forms.
enum URLText {
    /// Everything but unreserved characters escaped.
    static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: out.append(byte)
            default: out += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
