/// The name of a homeserver: a DNS name, an IPv4 address or a bracketed IPv6 address, and perhaps a port.
///
/// [Server name](https://spec.matrix.org/v1.19/appendices/#server-name).
public struct ServerName: Identifier {
    private let text: ExactString
    private let hostLength: Int

    /// The text.
    public var string: String { text.string }

    /// The host without its port; an IPv6 address keeps its brackets.
    public var host: String { String(string.utf8.prefix(hostLength)) ?? string }

    /// The port, if the name has one.
    public var port: Int? {
        let rest = string.utf8.dropFirst(hostLength)
        return rest.isEmpty ? nil : Int(String(rest.dropFirst()) ?? "")
    }

    /// Whether the host is an IP address.
    public var isAddressLiteral: Bool { string.utf8.first == UInt8(ascii: "[") || Self.isIPv4(host) }

    /// Reads an identifier; `nil` if it breaks the grammar.
    public init?(_ string: String) {
        let fast = string.utf8.withContiguousStorageIfAvailable { Self.checkedHostLength($0) }
        guard let length = fast ?? Array(string.utf8).withUnsafeBufferPointer({ Self.checkedHostLength($0) }) else {
            return nil
        }
        text = ExactString(string)
        hostLength = length
    }

    /// The length of the host, if the text keeps to the grammar.
    private static func checkedHostLength(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        guard !bytes.isEmpty, bytes.count <= 230 else { return nil }
        var end = 0
        if bytes[0] == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")), (3...46).contains(close) else { return nil }
            guard bytes[1..<close].allSatisfy(isIPv6Character) else { return nil }
            end = close + 1
        } else {
            while end < bytes.count, isNameCharacter(bytes[end]) { end += 1 }
            guard end > 0 else { return nil }
        }
        if end < bytes.count {
            guard bytes[end] == UInt8(ascii: ":"), (1...5).contains(bytes.count - end - 1) else { return nil }
            guard bytes[(end + 1)...].allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        }
        return end
    }

    /// Wraps a text that was checked before, such as one read back from the database.
    public init(trusted string: String) {
        text = ExactString(string)
        let utf8 = string.utf8
        // The port, if any, follows the last colon; the colons of an IPv6 address are inside brackets.
        var length = utf8.count
        if let colon = utf8.lastIndex(of: UInt8(ascii: ":")) {
            let end = utf8.distance(from: utf8.startIndex, to: colon)
            if utf8.last != UInt8(ascii: "]") { length = end }
        }
        hostLength = length
    }

    /// Whether `left` comes first in the order of bytes.
    public static func < (left: ServerName, right: ServerName) -> Bool { left.text < right.text }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private static func isIPv6Character(_ byte: UInt8) -> Bool {
        JSONText.hexDigit(byte) != nil || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
    }

    private static func isIPv4(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }
}
