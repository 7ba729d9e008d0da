#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// An IPv4 or IPv6 address.
public struct InternetAddress: Sendable, Hashable, CustomStringConvertible {
    /// Four or sixteen bytes, in the order of the network.
    public let bytes: [UInt8]

    /// An address of four or sixteen bytes, or `nil` for any other number of them.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = Array(bytes)
    }

    /// The address that a text is, in brackets or without; `nil` if it is none.
    public init?(_ text: String) {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            bytes = withUnsafeBytes(of: &four) { Array($0) }
            return
        }
        let isBracketed = text.utf8.first == UInt8(ascii: "[") && text.utf8.last == UInt8(ascii: "]")
        var six = in6_addr()
        guard inet_pton(AF_INET6, isBracketed ? String(text.dropFirst().dropLast()) : text, &six) == 1 else {
            return nil
        }
        bytes = withUnsafeBytes(of: &six) { Array($0) }
    }

    /// Whether it is an IPv4 address.
    public var isIPv4: Bool { bytes.count == 4 }

    /// The text, without brackets.
    public var description: String {
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(isIPv4 ? AF_INET : AF_INET6, bytes, &buffer, socklen_t(buffer.count)) != nil else { return "" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The text as it stands in a URL.
    public var urlHost: String { isIPv4 ? description : "[\(description)]" }

    /// Whether the address belongs to a machine on the internet: neither to this machine nor to a network of somebody's own, nor to one
    /// that is reserved. A server that connects to others can be made to ask things of what only it can reach.
    ///
    /// [IANA's special-purpose registries](https://www.iana.org/assignments/iana-ipv4-special-registry/)
    public var isPublic: Bool {
        if isIPv4 { return !Self.reserved4.contains { $0.contains(bytes) } }
        // Addresses that stand for IPv4 addresses are as public as those.
        for (prefix, offset) in Self.embedding where prefix.contains(bytes) {
            return InternetAddress(bytes: bytes[offset..<offset + 4])?.isPublic ?? false
        }
        return Self.global6.contains(bytes) && !Self.reserved6.contains { $0.contains(bytes) }
    }

    private struct Prefix: Sendable {
        let bytes: [UInt8]
        let bits: Int

        init(_ text: String, _ bits: Int) {
            bytes = InternetAddress(text)?.bytes ?? []
            self.bits = bits
        }

        func contains(_ address: [UInt8]) -> Bool {
            guard address.count == bytes.count else { return false }
            for index in 0..<bits / 8 where address[index] != bytes[index] { return false }
            let rest = bits % 8
            return rest == 0 || (address[bits / 8] ^ bytes[bits / 8]) >> UInt8(8 - rest) == 0
        }
    }

    private static let reserved4 = [
        Prefix("0.0.0.0", 8), Prefix("10.0.0.0", 8), Prefix("100.64.0.0", 10), Prefix("127.0.0.0", 8),
        Prefix("169.254.0.0", 16), Prefix("172.16.0.0", 12), Prefix("192.0.0.0", 24), Prefix("192.0.2.0", 24),
        Prefix("192.88.99.0", 24), Prefix("192.168.0.0", 16), Prefix("198.18.0.0", 15), Prefix("198.51.100.0", 24),
        Prefix("203.0.113.0", 24), Prefix("224.0.0.0", 3),
    ]
    private static let global6 = Prefix("2000::", 3)
    /// Teredo, benchmarking, ORCHID, documentation.
    private static let reserved6 = [
        Prefix("2001::", 23), Prefix("2001:db8::", 32), Prefix("3fff::", 20),
    ]
    /// Where an IPv4 address stands in addresses of these prefixes: mapped, translated, 6to4.
    private static let embedding = [
        (Prefix("::ffff:0:0", 96), 12), (Prefix("64:ff9b::", 96), 12), (Prefix("2002::", 16), 2),
    ]
}
