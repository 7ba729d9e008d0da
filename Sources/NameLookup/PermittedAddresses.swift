/// Finds the addresses of hosts that somebody outside has led to, and refuses those that nobody outside should be able to lead to.
public struct PermittedAddresses: Sendable {
    private let names: any NameResolver
    private let allowsPrivate: Bool
    private let usesProxy: Bool

    /// - Parameters:
    ///   - names: Looks names up.
    ///   - allowsPrivate: Whether machines of one's own network may be connected to.
    ///   - usesProxy: Whether a proxy looks names up and connects; then it also is what keeps requests out of the network of one's own.
    public init(names: any NameResolver, allowsPrivate: Bool, usesProxy: Bool) {
        self.names = names
        self.allowsPrivate = allowsPrivate
        self.usesProxy = usesProxy
    }

    /// The addresses of a host, those to try first first; `nil` if that is for the proxy to find out.
    ///
    /// - Parameter host: A name, or an address, an IPv6 address perhaps in brackets.
    public func find(_ host: String) async throws(AddressFailure) -> ResolvedAddresses? {
        if let address = InternetAddress(host) {
            guard allowsPrivate || address.isPublic else { throw .privateAddress }
            return ResolvedAddresses(addresses: [address], lifetimeSeconds: .max)
        }
        if usesProxy { return nil }
        let resolved: ResolvedAddresses
        do { resolved = try await names.addresses(of: host) } catch { throw .name(error) }
        let permitted = resolved.addresses.filter { allowsPrivate || $0.isPublic }
        guard !permitted.isEmpty else { throw .privateAddress }
        return ResolvedAddresses(addresses: permitted, lifetimeSeconds: resolved.lifetimeSeconds)
    }
}

/// Why a host cannot be connected to.
public enum AddressFailure: Error, Sendable, Hashable {
    /// Its name has no address.
    case name(NameFailure)
    /// Its addresses are not on the internet, and no others may be connected to.
    case privateAddress
}
