import Synchronization

/// A regular expression of a registration file, compiled once.
///
/// It matches what begins with a match, as application services are used to: `@_irc_` has all names that begin so.
public final class NamespacePattern: Sendable {
    /// The regular expression.
    public let text: String
    private let compiled: Mutex<Regex<AnyRegexOutput>>
    /// What every match begins with: most names are told apart by this alone.
    private let prefix: [UInt8]
    /// Whether everything that begins with the prefix matches.
    private let isPrefix: Bool

    /// A pattern, or `nil` if it is no regular expression.
    public init?(_ pattern: String) {
        guard let regex = try? Regex<AnyRegexOutput>(pattern) else { return nil }
        text = pattern
        compiled = Mutex(regex.matchingSemantics(.unicodeScalar))
        let literal = Self.literalPrefix(of: Array(pattern.utf8))
        prefix = literal.bytes
        isPrefix = literal.isAll
    }

    /// Whether a text begins with a match.
    public func matches(_ text: String) -> Bool {
        guard text.utf8.starts(with: prefix) else { return false }
        if isPrefix { return true }
        // A pattern that takes too many steps throws: it matches nothing then.
        return compiled.withLock { ((try? $0.prefixMatch(in: text)) ?? nil) != nil }
    }

    /// What a match must begin with, and whether that is enough.
    private static func literalPrefix(of pattern: [UInt8]) -> (bytes: [UInt8], isAll: Bool) {
        let special = Set(".^$*+?()[]{}|\\".utf8)
        // Alternatives may begin differently.
        guard !pattern.contains(UInt8(ascii: "|")) else { return ([], false) }
        var rest = pattern[...]
        if rest.first == UInt8(ascii: "^") { rest.removeFirst() }
        var bytes: [UInt8] = []
        while let byte = rest.first {
            if byte == UInt8(ascii: "\\"), let next = rest.dropFirst().first, isPunctuation(next) {
                bytes.append(next)
                rest.removeFirst(2)
            } else if !special.contains(byte) {
                bytes.append(byte)
                rest.removeFirst()
            } else {
                break
            }
        }
        if let next = rest.first, "*+?{".utf8.contains(next) {
            // It is about the last character: all bytes of it.
            while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
            return (bytes, false)
        }
        return (bytes, rest.isEmpty || rest.elementsEqual(".*".utf8) || rest.elementsEqual(".*$".utf8))
    }

    private static func isPunctuation(_ byte: UInt8) -> Bool {
        (0x21...0x2F).contains(byte) || (0x3A...0x40).contains(byte) || (0x5B...0x60).contains(byte)
            || (0x7B...0x7E).contains(byte)
    }
}
