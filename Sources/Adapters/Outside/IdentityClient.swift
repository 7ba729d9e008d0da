import AsyncHTTPClient
import Homeserver
import Logging
import Matrix
import NIOCore

/// Asks identity servers: those of the configuration wherever they are, others only where anybody may lead.
public final class IdentityClient: IdentityTransport {
    private let configured: OutsideRequests
    private let others: PermittedRequests
    private let logger: Logger

    private static let timeoutMilliseconds: Int64 = 20_000
    private static let maximumBytes = 256 << 10

    /// - Parameters:
    ///   - configured: Requests to where the administrator leads.
    ///   - others: Requests to where users lead.
    ///   - logger: Told of servers that do not answer.
    public init(configured: OutsideRequests, others: PermittedRequests, logger: Logger) {
        self.configured = configured
        self.others = others
        self.logger = logger
    }

    /// Makes a request of an identity server.
    public func ask(
        _ url: String, isConfigured: Bool, authorization: String?, body: [UInt8]?
    ) async -> (status: Int, body: [UInt8])? {
        var request = HTTPClientRequest(url: url)
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
        if let body {
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        let outgoing = request
        do {
            return try await within(milliseconds: Self.timeoutMilliseconds, else: WebFailure.tooSlow) { [self] in
                try await send(outgoing, url, isConfigured: isConfigured)
            }
        } catch {
            // The query of an address says whom somebody looks for.
            let address = String(url.prefix { $0 != "?" })
            logger.warning("no answer of an identity server", metadata: ["address": "\(address)", "error": "\(error)"])
            return nil
        }
    }

    private func send(
        _ request: HTTPClientRequest, _ url: String, isConfigured: Bool
    ) async throws -> (status: Int, body: [UInt8]) {
        let deadline = NIODeadline.now() + .milliseconds(Self.timeoutMilliseconds)
        if isConfigured {
            guard let client = configured.client() else { throw CancellationError() }
            return try await Self.read(try await client.execute(request, deadline: deadline))
        }
        guard let address = WebAddress(url) else { throw WebFailure.forbiddenAddress }
        let answer = try await others.send(request, to: address.host, deadline: deadline)
        // Until the body is there too.
        defer { withExtendedLifetime(answer.lease) {} }
        return try await Self.read(answer.response)
    }

    private static func read(_ response: HTTPClientResponse) async throws -> (status: Int, body: [UInt8]) {
        let body = try await response.body.collect(upTo: maximumBytes)
        return (Int(response.status.code), Array(body.readableBytesView))
    }

    /// Ends what is open. No request is sent after.
    public func close() async { await others.close() }
}
