/// Asks the domain name system.
public protocol NameResolver: Sendable {
    /// The addresses of a host, those to try first first; aliases are followed.
    ///
    /// - Throws: ``NameFailure/nothing`` if there are none.
    func addresses(of host: String) async throws(NameFailure) -> ResolvedAddresses

    /// The SRV records of a name, in no particular order.
    ///
    /// - Throws: ``NameFailure/nothing`` if there are none.
    func services(_ name: String) async throws(NameFailure) -> [ServiceRecord]
}

/// The addresses of a host.
public struct ResolvedAddresses: Sendable, Hashable {
    /// The addresses, those to try first first. At least one.
    public let addresses: [InternetAddress]
    /// For how many seconds they can be relied on.
    public let lifetimeSeconds: Int

    /// Addresses.
    public init(addresses: [InternetAddress], lifetimeSeconds: Int) {
        self.addresses = addresses
        self.lifetimeSeconds = lifetimeSeconds
    }
}

/// An SRV record.
///
/// [RFC 2782](https://www.rfc-editor.org/rfc/rfc2782)
public struct ServiceRecord: Sendable, Hashable {
    /// Where the service is; empty or `.` where there is decidedly none.
    public let host: String
    /// Its port.
    public let port: Int
    /// Records of the lowest number are tried first.
    public let priority: Int
    /// Among those of one priority, how often this one is chosen.
    public let weight: Int

    /// A record.
    public init(host: String, port: Int, priority: Int, weight: Int) {
        self.host = host
        self.port = port
        self.priority = priority
        self.weight = weight
    }
}

/// Why a name leads nowhere.
public enum NameFailure: Error, Sendable, Hashable {
    /// There is no such name, or it has no records of that kind.
    case nothing
    /// The name cannot be one.
    case malformed
    /// No name server gave an answer: later there may be one.
    case unavailable(String)
}
