import Matrix

/// The address of something on the web, in the one form in which it is compared, kept and asked for: the host in small letters, no user,
/// no fragment, no dots for folders, and nothing but ASCII.
///
/// [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986), as forgiving as browsers are where that does no harm.
public struct WebAddress: Sendable, Hashable, CustomStringConvertible {
    /// Whether it is `https`.
    public let isSecure: Bool
    /// The host in small letters; an IPv6 address in brackets.
    public let host: String
    /// The port: 80, 443 or one from 1024 on. Behind the others are no web pages, but services that could be made to do something.
    public let port: Int
    /// The path and the query.
    public let target: String

    /// The most bytes that an address has.
    public static let maximumBytes = 2_048

    /// The text.
    public var description: String { "\(origin)\(target)" }

    private var origin: String {
        let usual = isSecure ? 443 : 80
        return "\(isSecure ? "https" : "http")://\(host)\(port == usual ? "" : ":\(port)")"
    }

    /// Reads an address; `nil` if a text is none, or none that is asked for.
    public init?(_ text: String) {
        let bytes = Self.trimmed(text.utf8)
        guard bytes.count <= Self.maximumBytes, let (scheme, rest) = Self.scheme(of: bytes) else { return nil }
        guard rest.starts(with: "//".utf8) else { return nil }
        let afterSlashes = rest.dropFirst(2)
        let end = afterSlashes.firstIndex { "/?#".utf8.contains($0) } ?? afterSlashes.endIndex
        self.init(scheme: scheme, authority: afterSlashes[..<end], target: afterSlashes[end...])
    }

    private init?(scheme: String, authority: ArraySlice<UInt8>, target: ArraySlice<UInt8>) {
        switch scheme {
        case "https": isSecure = true
        case "http": isSecure = false
        default: return nil
        }
        // An empty port is no port.
        let name = authority.last == UInt8(ascii: ":") ? authority.dropLast() : authority
        // Only what is grammatical is compared with lists and looked up: no user, no escapes.
        guard let server = ServerName(String(decoding: name, as: UTF8.self)) else { return nil }
        let host = server.host.lowercased()
        // A name that ends with a dot is the same name; certificates are for the one without.
        self.host = host.utf8.last == UInt8(ascii: ".") ? String(host.dropLast()) : host
        port = server.port ?? (isSecure ? 443 : 80)
        guard port == 80 || port == 443 || (1_024...65_535).contains(port), !self.host.isEmpty else { return nil }
        // "127.1" and "0x7f000001" are addresses to some and names to others.
        guard server.isAddressLiteral || !Self.endsInNumber(self.host) else { return nil }
        self.target = Self.normalized(target)
        guard description.utf8.count <= Self.maximumBytes else { return nil }
    }

    private static func endsInNumber(_ host: String) -> Bool {
        let last = host.utf8.split(separator: UInt8(ascii: ".")).last ?? host.utf8[...]
        return last.first.map { (0x30...0x39).contains($0) } ?? false
            && last.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) || $0 == UInt8(ascii: "x") }
    }

    /// The address that a reference on a page of this one leads to, or `nil` if that is none.
    public func following(_ reference: String) -> WebAddress? {
        let bytes = Self.trimmed(reference.utf8)
        if bytes.count > Self.maximumBytes { return nil }
        if Self.scheme(of: bytes) != nil { return WebAddress(reference) }
        let text = String(decoding: bytes, as: UTF8.self)
        if bytes.starts(with: "//".utf8) { return WebAddress((isSecure ? "https:" : "http:") + text) }
        switch bytes.first {
        case nil, UInt8(ascii: "#"): return self
        case UInt8(ascii: "/"): return WebAddress(origin + text)
        case UInt8(ascii: "?"): return WebAddress(origin + target.prefix { $0 != "?" } + text)
        default:
            let path = target.prefix { $0 != "?" }
            let folder = path[...(path.lastIndex(of: "/") ?? path.startIndex)]
            return WebAddress(origin + folder + text)
        }
    }

    // MARK: -

    private static func trimmed(_ text: String.UTF8View) -> ArraySlice<UInt8> {
        var bytes = Array(text)[...]
        while let first = bytes.first, first <= 0x20 { bytes.removeFirst() }
        while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
        return bytes
    }

    private static func scheme(of bytes: ArraySlice<UInt8>) -> (scheme: String, rest: ArraySlice<UInt8>)? {
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let name = bytes[..<colon]
        func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
        guard name.first.map(isLetter) ?? false,
            name.allSatisfy({ isLetter($0) || (0x30...0x39).contains($0) || "+-.".utf8.contains($0) })
        else { return nil }
        return (String(decoding: name, as: UTF8.self).lowercased(), bytes[bytes.index(after: colon)...])
    }

    /// A path and a query, what cannot stand in an address escaped, without a fragment and without `.` and `..`.
    private static func normalized(_ target: ArraySlice<UInt8>) -> String {
        let target = target.prefix { $0 != UInt8(ascii: "#") }
        let question = target.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        var folders: [ArraySlice<UInt8>] = []
        let parts = target[..<question].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .dropFirst()
        for (index, part) in zip(parts.indices, parts) {
            let isLast = index == parts.endIndex - 1
            if part.elementsEqual("..".utf8) {
                _ = folders.popLast()
                if isLast { folders.append([]) }
            } else if part.elementsEqual(".".utf8) {
                if isLast { folders.append([]) }
            } else {
                folders.append(part)
            }
        }
        var text: [UInt8] = []
        for folder in folders { text += [UInt8(ascii: "/")] + folder }
        if text.isEmpty { text = [UInt8(ascii: "/")] }
        text += target[question...]
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text {
            // Tabs and line ends within an address are passed over, as browsers do.
            if byte == 0x09 || byte == 0x0A || byte == 0x0D { continue }
            if byte > 0x20, byte < 0x7F, !"\"<>\\^`{|}".utf8.contains(byte) {
                out.append(byte)
            } else {
                out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
