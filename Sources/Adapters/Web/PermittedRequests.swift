import AsyncHTTPClient
import Homeserver
import Logging
import NIOCore
import NameLookup

/// Requests to wherever somebody outside has led, with whatever is to be asked there.
///
/// The name is looked up here, and the connection made to the address that was found good: another look-up could have another answer.
/// Redirects are not followed: where they lead is for the caller to decide, and is looked up anew.
public final class PermittedRequests: Sendable {
    private let addresses: PermittedAddresses
    private let clients: PinnedClients

    /// Addresses of one host are tried up to this many.
    private static let maximumAddresses = 3

    /// - Parameters:
    ///   - names: Looks names up.
    ///   - allowsPrivateAddresses: Whether hosts may be in one's own network.
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

    /// An answer whose body is to be read while the lease is held.
    struct Answer {
        let response: HTTPClientResponse
        let lease: PinnedClients.Lease
    }

    /// Sends a request, and returns when the head of the answer is there.
    ///
    /// - Parameter host: The host in the request's address, as it stands there.
    /// - Throws: ``WebFailure``, `CancellationError`.
    func send(_ request: HTTPClientRequest, to host: String, deadline: NIODeadline) async throws -> Answer {
        let resolved: ResolvedAddresses?
        do { resolved = try await addresses.find(host) } catch {
            switch error {
            case .privateAddress: throw WebFailure.forbiddenAddress
            case .name(let failure): throw WebFailure.unreachable("\(failure)")
            }
        }
        var found: [InternetAddress?] = [nil]
        if let resolved { found = Array(resolved.addresses.prefix(Self.maximumAddresses)) }
        var failure = WebFailure.unreachable("no address")
        for address in found {
            do {
                let lease = try clients.lease(host: host, address: address)
                return Answer(response: try await lease.client.execute(request, deadline: deadline), lease: lease)
            } catch let error as CancellationError {
                throw error
            } catch {
                failure = .unreachable("\(error)")
            }
        }
        throw failure
    }

    /// Ends what is open. No request is sent after.
    public func close() async { await clients.close() }
}
