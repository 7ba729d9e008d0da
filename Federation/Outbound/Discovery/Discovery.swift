import Matrix
import NameLookup

/// Where a server is, as its name and what was found out about it say: the steps of the specification, without doing any of them.
///
/// Each input returns what to do next; whoever performs it hands the outcome back.
///
/// [Resolving server names](https://spec.matrix.org/v1.19/server-server-api/#resolving-server-names)
struct Discovery: Sendable {
    /// What to do next.
    enum Action: Sendable, Hashable {
        /// Ask `https://HOST/.well-known/matrix/server` where the server is.
        case askWellKnown(host: String)
        /// Look for SRV records of that name.
        case lookUpServices(String)
        /// The server is found.
        case finish(Destination)
        /// The name leads nowhere.
        case fail(DiscoveryFailure)
    }

    private enum State {
        case idle
        case awaitsWellKnown
        /// Looks for records of the registered service name, and if that fails of the old one.
        case awaitsServices(host: String, isDeprecated: Bool)
        case finished
    }

    private let server: ServerName
    private var state = State.idle

    /// The port of servers that name none.
    static let defaultPort = 8448

    init(_ server: ServerName) { self.server = server }

    /// Begins.
    mutating func start() -> Action {
        guard Self.isReachable(server) else { return fail(.invalidName) }
        // Steps 1 and 2: nothing is asked.
        if let destination = Self.explicit(server) { return finish(destination) }
        state = .awaitsWellKnown
        return .askWellKnown(host: server.host)
    }

    /// Goes on with what `.well-known` has said: the name it delegates to, or `nil` if it says nothing usable.
    mutating func receivedWellKnown(_ delegate: ServerName?) -> Action {
        guard case .awaitsWellKnown = state else { return fail(.internalError) }
        // Steps 4 to 6 treat the host as steps 3.3 to 3.5 treat the delegated host. A name that cannot be reached is no valid answer.
        guard let delegate, Self.isReachable(delegate) else { return lookUp(host: server.host) }
        // Steps 3.1 and 3.2.
        if let destination = Self.explicit(delegate) { return finish(destination) }
        return lookUp(host: delegate.host)
    }

    /// Goes on with the SRV records found; none if there are none or no name server has answered.
    ///
    /// - Parameter records: In the order in which they are to be tried.
    mutating func receivedServices(_ records: [ServiceRecord]) -> Action {
        guard case .awaitsServices(let host, let isDeprecated) = state else { return fail(.internalError) }
        // A single record for the root says that there is decidedly no such service.
        if records.count == 1, records[0].host.isEmpty || records[0].host == "." { return fail(.serviceDenied) }
        let targets = records.filter { !$0.host.isEmpty && $0.host != "." && (1...65_535).contains($0.port) }
            .map { Destination.Target(host: $0.host, port: $0.port) }
        if !targets.isEmpty {
            // The certificate must be for the host, not for the target: names can be forged, certificates cannot.
            return finish(Destination(hostField: host, certificateName: .domain(host), targets: targets))
        }
        if !isDeprecated {
            state = .awaitsServices(host: host, isDeprecated: true)
            return .lookUpServices("_matrix._tcp.\(host)")
        }
        return finish(
            Destination(
                hostField: host, certificateName: .domain(host),
                targets: [Destination.Target(host: host, port: Self.defaultPort)]
            ))
    }

    private mutating func lookUp(host: String) -> Action {
        state = .awaitsServices(host: host, isDeprecated: false)
        return .lookUpServices("_matrix-fed._tcp.\(host)")
    }

    private mutating func finish(_ destination: Destination) -> Action {
        state = .finished
        return .finish(destination)
    }

    private mutating func fail(_ failure: DiscoveryFailure) -> Action {
        state = .finished
        return .fail(failure)
    }

    /// Where a name leads by itself: an address, or a host with a port.
    private static func explicit(_ name: ServerName) -> Destination? {
        if let address = InternetAddress(name.host) {
            return Destination(
                hostField: name.string, certificateName: .address(address),
                targets: [Destination.Target(host: name.host, port: name.port ?? defaultPort)]
            )
        }
        guard let port = name.port else { return nil }
        return Destination(
            hostField: name.string, certificateName: .domain(name.host),
            targets: [Destination.Target(host: name.host, port: port)]
        )
    }

    /// Whether the name can lead anywhere, beyond keeping to the grammar.
    private static func isReachable(_ name: ServerName) -> Bool {
        if let port = name.port, !(1...65_535).contains(port) { return false }
        if name.host.utf8.first == UInt8(ascii: "[") { return InternetAddress(name.host) != nil }
        return InternetAddress(name.host) != nil || HostName.isValid(name.host)
    }
}

/// Where requests to a server go.
struct Destination: Sendable, Hashable {
    /// What a certificate must be for.
    enum CertificateName: Sendable, Hashable {
        case domain(String)
        case address(InternetAddress)
    }

    /// A host, by name or address, and a port.
    struct Target: Sendable, Hashable {
        let host: String
        let port: Int
    }

    /// The `Host` of requests.
    let hostField: String
    /// What the certificate must be for.
    let certificateName: CertificateName
    /// Where to connect to, in the order in which they are to be tried. At least one.
    let targets: [Target]
}

/// Why a server's name leads nowhere.
enum DiscoveryFailure: Error, Sendable, Hashable {
    /// The name keeps to the grammar but cannot be the name of a host.
    case invalidName
    /// The domain says that there is no Matrix server.
    case serviceDenied
    /// Inputs came in another order than actions were returned.
    case internalError
}

/// Names of hosts.
enum HostName {
    /// Whether a text can be the name of a host.
    ///
    /// [RFC 1123, section 2.1](https://www.rfc-editor.org/rfc/rfc1123#section-2.1)
    static func isValid(_ text: String) -> Bool {
        var labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        // The dot of the root may be written.
        if labels.count > 1, labels.last?.isEmpty == true { labels.removeLast() }
        guard text.utf8.count <= 253, labels.allSatisfy({ (1...63).contains($0.count) }), let last = labels.last
        else { return false }
        // A last label of digits only would be part of an address.
        guard !last.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
        return labels.allSatisfy { label in
            label.allSatisfy(isAllowed) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
        }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// As certificates have it: lower case, without the dot of the root.
    static func canonical(_ host: String) -> String {
        let bytes = host.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        return String(decoding: bytes.last == UInt8(ascii: ".") ? bytes.dropLast() : bytes, as: UTF8.self)
    }
}
