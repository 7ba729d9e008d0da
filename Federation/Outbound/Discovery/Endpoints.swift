import Homeserver
import NameLookup

/// An address and a port to connect to, and what must be found there.
struct Endpoint: Sendable, Hashable {
    /// What the certificate must be for, and where.
    let peer: HTTPPool.Peer
    /// The port.
    let port: Int
}

/// Finds the addresses of hosts that names and redirects have led to, and refuses those that nobody outside should be able to lead to.
struct EndpointFinder: Sendable {
    let names: any NameResolver
    let allowsPrivateAddresses: Bool
    /// Whether a proxy looks names up and connects; then it also is what keeps requests out of the network of one's own.
    let usesProxy: Bool

    /// Addresses of one host are tried up to this many.
    private static let maximumAddresses = 4
    /// What is believed of a name for longer than it says, or not as long as it says, in seconds.
    private static let lifetimes = 30...300

    /// The endpoints of a host, and for how many seconds they can be relied on.
    ///
    /// - Throws: ``AddressFailure``.
    func endpoints(
        of host: String, port: Int, certificateName: Destination.CertificateName
    ) async throws(AddressFailure) -> (endpoints: [Endpoint], lifetimeSeconds: Int) {
        let found = try await PermittedAddresses(
            names: names, allowsPrivate: allowsPrivateAddresses, usesProxy: usesProxy
        ).find(host)
        guard let resolved = found else { return ([endpoint(host, port, certificateName)], Self.lifetimes.upperBound) }
        let lifetime = min(max(resolved.lifetimeSeconds, Self.lifetimes.lowerBound), Self.lifetimes.upperBound)
        return (
            resolved.addresses.prefix(Self.maximumAddresses).map { endpoint($0.description, port, certificateName) },
            lifetime
        )
    }

    private func endpoint(_ host: String, _ port: Int, _ name: Destination.CertificateName) -> Endpoint {
        Endpoint(peer: HTTPPool.Peer(certificateName: name, host: host), port: port)
    }
}
