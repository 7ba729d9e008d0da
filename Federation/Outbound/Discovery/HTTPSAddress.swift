import Matrix
import NameLookup

/// A URL of scheme `https`, as far as redirects may use it: no user, no fragment.
struct HTTPSAddress: Sendable, Hashable {
    /// The host, in lower case; an IPv6 address keeps its brackets.
    let host: String
    /// The port.
    let port: Int
    /// Path and query.
    let target: String

    /// The longest URL that is followed.
    private static let maximumBytes = 2_048

    init(host: String, port: Int, target: String) {
        self.host = HostName.canonical(host)
        self.port = port
        self.target = target
    }

    /// Reads an absolute URL; `nil` if it is none of this scheme.
    init?(_ text: String) {
        let scheme = "https://"
        guard text.utf8.count <= Self.maximumBytes, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            text.utf8.count > scheme.utf8.count, text.prefix(scheme.count).lowercased() == scheme
        else { return nil }
        let rest = text.dropFirst(scheme.count).utf8.prefix { $0 != UInt8(ascii: "#") }
        let authority = rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        // The grammar of server names is that of a host and a port.
        guard let name = ServerName(String(decoding: authority, as: UTF8.self)),
            InternetAddress(name.host) != nil || HostName.isValid(name.host)
        else { return nil }
        let port = name.port ?? 443
        guard (1...65_535).contains(port) else { return nil }
        var target = String(decoding: rest[authority.endIndex...], as: UTF8.self)
        if target.utf8.first != UInt8(ascii: "/") { target = "/" + target }
        guard Self.isWellFormed(target) else { return nil }
        self.init(host: name.host, port: port, target: target)
    }

    /// Where a `Location` in the answer to this URL leads: an absolute URL, or a path from the root.
    func following(_ location: String) -> HTTPSAddress? {
        let bytes = location.utf8
        if bytes.starts(with: "//".utf8) { return HTTPSAddress("https:" + location) }
        guard bytes.first == UInt8(ascii: "/") else { return HTTPSAddress(location) }
        return HTTPSAddress("https://\(hostField)\(location)")
    }

    /// The `Host` of a request.
    var hostField: String { port == 443 ? host : "\(host):\(port)" }

    /// What the certificate must be for.
    var certificateName: Destination.CertificateName {
        InternetAddress(host).map { .address($0) } ?? .domain(host)
    }

    /// Whether a path and a query need no more escaping.
    private static func isWellFormed(_ target: String) -> Bool {
        target.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\\"), UInt8(ascii: "^"),
                UInt8(ascii: "`"), UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"):
                false
            default: true
            }
        }
    }
}
