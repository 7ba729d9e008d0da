#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// An IP address as 16 bytes; IPv4 as IPv6 maps it, so that both ways to write one compare equal.
public struct IPAddress: Sendable, Hashable {
    let high: UInt64
    let low: UInt64

    /// The address that `text` is, without brackets or port.
    public init?(_ text: some StringProtocol) {
        var four = in_addr()
        var six = in6_addr()
        let text = String(text)
        if inet_pton(AF_INET, text, &four) == 1 {
            high = 0
            low = 0xFFFF_0000_0000 | UInt64(UInt32(bigEndian: four.s_addr))
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            (high, low) = withUnsafeBytes(of: &six) {
                (
                    UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
                    UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                )
            }
        } else {
            return nil
        }
    }

    /// Whether the address is an IPv4 address.
    public var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }
}

/// The addresses that share a prefix.
public struct IPRange: Sendable, Hashable {
    private let base: IPAddress
    private let prefixBits: Int

    static let loopback4 = IPRange(base: IPAddress("127.0.0.0"), prefixBits: 96 + 8)
    static let loopback6 = IPRange(base: IPAddress("::1"), prefixBits: 128)

    private init(base: IPAddress?, prefixBits: Int) {
        // Only for the two literals above, which parse.
        self.base = base!
        self.prefixBits = prefixBits
    }

    /// The range that `text` is: an address, or an address, `/` and the length of the prefix in bits.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let base = IPAddress(parts[0]) else { return nil }
        var bits = 128
        if parts.count == 2 {
            guard let given = Int(parts[1]), (0...(base.isIPv4 ? 32 : 128)).contains(given) else { return nil }
            bits = base.isIPv4 ? 96 + given : given
        }
        self.base = base
        prefixBits = bits
    }

    /// Whether the address is in the range.
    public func contains(_ address: IPAddress) -> Bool {
        let highMask = Self.mask(prefixBits)
        let lowMask = Self.mask(prefixBits - 64)
        return (address.high ^ base.high) & highMask == 0 && (address.low ^ base.low) & lowMask == 0
    }

    private static func mask(_ bits: Int) -> UInt64 {
        if bits <= 0 { return 0 }
        return bits >= 64 ? .max : ~(.max >> UInt64(bits))
    }
}
