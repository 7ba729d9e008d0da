import AsyncHTTPClient
import Homeserver
import Logging
import NIOCore
import NIOHTTP1
import NameLookup

/// Gets web pages that anybody may have named.
///
/// The name is looked up here, and the connection made to the address that was found good: another look-up could have another answer.
/// Redirects are not followed: where they lead is for the caller to decide, and is looked up anew. Nothing is asked for compressed, so that
/// what arrives is as long as it seems.
public final class WebClient: WebFetcher {
    private let addresses: PermittedAddresses
    private let clients: PinnedClients
    private let userAgent: String

    /// Addresses of one host are tried up to this many.
    private static let maximumAddresses = 3
    private static let maximumHeaderBytes = 32 << 10

    /// - Parameters:
    ///   - names: Looks names up.
    ///   - allowsPrivateAddresses: Whether pages may be in one's own network.
    ///   - verifiesTLS: Whether certificates are verified. Only tests say no.
    ///   - proxy: An HTTP proxy, host and port.
    ///   - userAgent: Who this is, as the pages' servers are told.
    ///   - clock: Tells the time.
    ///   - logger: Told of what cannot be closed.
    public init(
        names: any NameResolver, allowsPrivateAddresses: Bool, verifiesTLS: Bool, proxy: (host: String, port: Int)?,
        userAgent: String, clock: any Clock, logger: Logger
    ) {
        addresses = PermittedAddresses(names: names, allowsPrivate: allowsPrivateAddresses, usesProxy: proxy != nil)
        clients = PinnedClients(verifiesTLS: verifiesTLS, proxy: proxy, clock: clock, logger: logger)
        self.userAgent = userAgent
    }

    /// Sends a GET, and returns when the head of the answer is there.
    public func get(
        _ address: WebAddress, accepts: String, languages: String?, timeoutMilliseconds: Int64
    ) async throws(WebFailure) -> WebAnswer {
        let deadline = NIODeadline.now() + .milliseconds(timeoutMilliseconds)
        do {
            return try await within(milliseconds: timeoutMilliseconds, else: WebFailure.tooSlow) { [self] in
                try await get(address, accepts, languages, deadline)
            }
        } catch let failure as WebFailure {
            throw failure
        } catch {
            throw .unreachable("\(error)")
        }
    }

    private func get(
        _ address: WebAddress, _ accepts: String, _ languages: String?, _ deadline: NIODeadline
    ) async throws -> WebAnswer {
        let resolved: ResolvedAddresses?
        do { resolved = try await addresses.find(address.host) } catch {
            switch error {
            case .privateAddress: throw WebFailure.forbiddenAddress
            case .name(let failure): throw WebFailure.unreachable("\(failure)")
            }
        }
        var request = HTTPClientRequest(url: address.description)
        request.headers.add(name: "User-Agent", value: userAgent)
        request.headers.add(name: "Accept", value: accepts)
        request.headers.add(name: "Accept-Encoding", value: "identity")
        if let languages { request.headers.add(name: "Accept-Language", value: languages) }
        var found: [InternetAddress?] = [nil]
        if let resolved { found = Array(resolved.addresses.prefix(Self.maximumAddresses)) }
        var failure = WebFailure.unreachable("no address")
        for internet in found {
            do {
                return try await send(request, to: address.host, internet, deadline)
            } catch let error as CancellationError {
                throw error
            } catch let error as WebFailure {
                throw error
            } catch {
                failure = .unreachable("\(error)")
            }
        }
        throw failure
    }

    private func send(
        _ request: HTTPClientRequest, to host: String, _ address: InternetAddress?, _ deadline: NIODeadline
    ) async throws -> WebAnswer {
        let lease = try clients.lease(host: host, address: address)
        let response = try await lease.client.execute(request, deadline: deadline)
        let headers = response.headers.map { (name: $0.name.lowercased(), value: $0.value) }
        guard headers.reduce(0, { $0 + $1.name.utf8.count + $1.value.utf8.count }) <= Self.maximumHeaderBytes else {
            throw WebFailure.unreachable("too long a head")
        }
        let encoding = headers.first { $0.name == "content-encoding" }?.value.lowercased() ?? "identity"
        guard encoding == "identity" else { throw WebFailure.unreachable("compressed without being asked to") }
        let body = ArrivingBody(response.body, lease, deadline)
        return WebAnswer(status: Int(response.status.code), headers: headers) { try await body.next() }
    }

    /// A text in UTF-8.
    public func utf8(_ text: [UInt8], in characterSet: String) -> [UInt8]? {
        CharacterConversion.utf8(text, in: characterSet)
    }

    /// Ends what is open. No request is sent after.
    public func close() async { await clients.close() }
}

/// The body of an answer, from a server that may be slow, but not for ever. There is one reader at a time, as ``WebAnswer`` has it.
private final class ArrivingBody: @unchecked Sendable {
    private var iterator: HTTPClientResponse.Body.AsyncIterator
    private let lease: PinnedClients.Lease
    private let deadline: NIODeadline

    init(_ body: HTTPClientResponse.Body, _ lease: PinnedClients.Lease, _ deadline: NIODeadline) {
        iterator = body.makeAsyncIterator()
        self.lease = lease
        self.deadline = deadline
    }

    func next() async throws -> [UInt8]? {
        let left = (deadline - .now()).nanoseconds / 1_000_000
        guard left > 0 else { throw WebFailure.tooSlow }
        do {
            return try await within(milliseconds: left, else: WebFailure.tooSlow) { [self] in
                try await iterator.next().map { Array(buffer: $0) }
            }
        } catch let failure as WebFailure {
            throw failure
        } catch {
            throw WebFailure.unreachable("\(error)")
        }
    }
}
