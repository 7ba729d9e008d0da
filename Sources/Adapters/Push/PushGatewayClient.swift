import AsyncHTTPClient
import Homeserver
import Logging
import NIOCore
import NameLookup

/// Posts to push gateways over HTTP.
///
/// Clients choose where their gateways are. The name is looked up here, and the connection made to the address that was found good: another
/// look-up could have another answer. Redirects are not followed.
public final class PushGatewayClient: PushGateway {
    private let addresses: PermittedAddresses
    private let clients: PinnedClients

    private static let timeoutMilliseconds: Int64 = 10_000
    private static let maximumBytes = 64 << 10
    /// Addresses of one host are tried up to this many.
    private static let maximumAddresses = 3

    /// - Parameters:
    ///   - names: Looks names up.
    ///   - allowsPrivateAddresses: Whether gateways may be in one's own network.
    ///   - verifiesTLS: Whether certificates are verified. Only tests say no.
    ///   - proxy: An HTTP proxy, host and port.
    ///   - clock: Tells the time.
    ///   - logger: Told of what cannot be closed.
    public init(
        names: any NameResolver, allowsPrivateAddresses: Bool, verifiesTLS: Bool, proxy: (host: String, port: Int)?,
        clock: any Clock, logger: Logger
    ) {
        addresses = PermittedAddresses(names: names, allowsPrivate: allowsPrivateAddresses, usesProxy: proxy != nil)
        clients = PinnedClients(verifiesTLS: verifiesTLS, proxy: proxy, clock: clock, logger: logger)
    }

    /// Posts a notification.
    public func notify(
        _ body: [UInt8], at gateway: PushGatewayAddress
    ) async throws(PushGatewayFailure) -> PushGatewayAnswer {
        do {
            return try await within(
                milliseconds: Self.timeoutMilliseconds, else: PushGatewayFailure.unreachable("no answer in time")
            ) { [self] in
                try await post(body, to: gateway)
            }
        } catch let failure as PushGatewayFailure {
            throw failure
        } catch {
            throw .unreachable("\(error)")
        }
    }

    private func post(_ body: [UInt8], to gateway: PushGatewayAddress) async throws -> PushGatewayAnswer {
        let resolved: ResolvedAddresses?
        do { resolved = try await addresses.find(gateway.host) } catch {
            switch error {
            case .privateAddress: throw PushGatewayFailure.forbiddenAddress
            case .name(let failure): throw PushGatewayFailure.unreachable("\(failure)")
            }
        }
        var found: [InternetAddress?] = [nil]
        if let resolved { found = Array(resolved.addresses.prefix(Self.maximumAddresses)) }
        var failure = PushGatewayFailure.unreachable("no address")
        for address in found {
            do {
                return try await post(body, to: gateway, address)
            } catch let error as CancellationError {
                throw error
            } catch {
                failure = .unreachable("\(error)")
            }
        }
        throw failure
    }

    private func post(
        _ body: [UInt8], to gateway: PushGatewayAddress, _ address: InternetAddress?
    ) async throws -> PushGatewayAnswer {
        let lease = try clients.lease(host: gateway.host, address: address)
        // Until the body is there too.
        defer { withExtendedLifetime(lease) {} }
        // Written anew, so that the host is the very one that is pinned.
        let scheme = gateway.isSecure ? "https" : "http"
        var request = HTTPClientRequest(url: "\(scheme)://\(gateway.host):\(gateway.port)\(gateway.target)")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await lease.client.execute(request, timeout: .milliseconds(Self.timeoutMilliseconds))
        let answer = try await response.body.collect(upTo: Self.maximumBytes)
        return PushGatewayAnswer(status: Int(response.status.code), body: Array(answer.readableBytesView))
    }

    /// Ends what is open. No request is sent after.
    public func close() async { await clients.close() }
}
