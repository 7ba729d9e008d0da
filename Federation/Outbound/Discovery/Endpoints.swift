import Homeserver

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
    /// - Throws: ``EndpointFailure``.
    func endpoints(
        of host: String, port: Int, certificateName: Destination.CertificateName
    ) async throws(EndpointFailure) -> (endpoints: [Endpoint], lifetimeSeconds: Int) {
        if let address = InternetAddress(host) {
            guard allowsPrivateAddresses || address.isPublic else { throw .privateAddress }
            return ([endpoint(address.description, port, certificateName)], Self.lifetimes.upperBound)
        }
        if usesProxy { return ([endpoint(host, port, certificateName)], Self.lifetimes.upperBound) }
        let resolved: ResolvedAddresses
        do { resolved = try await names.addresses(of: host) } catch { throw .name(error) }
        let permitted = resolved.addresses.filter { allowsPrivateAddresses || $0.isPublic }
        guard !permitted.isEmpty else { throw .privateAddress }
        let lifetime = min(max(resolved.lifetimeSeconds, Self.lifetimes.lowerBound), Self.lifetimes.upperBound)
        return (
            permitted.prefix(Self.maximumAddresses).map { endpoint($0.description, port, certificateName) }, lifetime
        )
    }

    private func endpoint(_ host: String, _ port: Int, _ name: Destination.CertificateName) -> Endpoint {
        Endpoint(peer: HTTPPool.Peer(certificateName: name, host: host), port: port)
    }
}

/// Why a host cannot be connected to.
enum EndpointFailure: Error, Sendable, Hashable {
    /// Its name has no address.
    case name(NameFailure)
    /// Its addresses are not on the internet, and no others may be connected to.
    case privateAddress
}
