/// Where a request comes from.
public struct RequestOrigin: Sendable {
    /// The address of the connection's other end; empty for a Unix socket.
    public let peerAddress: String
    private let trustedProxies: TrustedProxies

    /// An origin.
    public init(peerAddress: String, trustedProxies: TrustedProxies = .loopback) {
        self.peerAddress = peerAddress
        self.trustedProxies = trustedProxies
    }

    /// The client's address: walking back from the connection, the first that is not one of our own proxies.
    ///
    /// Anyone can write the field, so only what trusted proxies appended counts.
    func clientAddress(forwardedFor fields: [String]) -> String {
        guard !fields.isEmpty, trustedProxies.contains(peerAddress) else { return peerAddress }
        var address = peerAddress
        for field in fields.reversed() {
            for entry in field.split(separator: ",").reversed() {
                let hop = entry.drop { $0 == " " }.prefix { $0 != " " }
                guard IPAddress(hop) != nil else { return address }
                address = String(hop)
                if !trustedProxies.contains(address) { return address }
            }
        }
        return address
    }
}

/// The addresses whose `X-Forwarded-For` is believed. A Unix socket always is one.
public struct TrustedProxies: Sendable {
    private let ranges: [IPRange]

    /// `127.0.0.0/8` and `::1`.
    public static let loopback = TrustedProxies(ranges: [.loopback4, .loopback6])
    /// None but Unix sockets.
    public static let none = TrustedProxies(ranges: [])

    private init(ranges: [IPRange]) { self.ranges = ranges }

    /// Addresses and ranges such as `10.0.0.0/8`; `nil` if one of them is neither.
    public init?(_ texts: [String]) {
        var ranges: [IPRange] = []
        for text in texts {
            guard let range = IPRange(text) else { return nil }
            ranges.append(range)
        }
        self.ranges = ranges
    }

    func contains(_ address: String) -> Bool {
        if address.isEmpty { return true }
        guard let address = IPAddress(address) else { return false }
        return ranges.contains { $0.contains(address) }
    }
}
