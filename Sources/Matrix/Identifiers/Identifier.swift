/// A Matrix identifier: text of a certain grammar, equal only to the same bytes.
///
/// [Identifier grammar](https://spec.matrix.org/v1.19/appendices/#identifier-grammar).
public protocol Identifier: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The text, sigil included.
    var string: String { get }
    /// The identifier that `string` is, or `nil` if it breaks the grammar.
    init?(_ string: String)
}

extension Identifier {
    /// The text.
    public var description: String { string }
}

/// Limits and character classes that several identifiers share.
enum IdentifierGrammar {
    /// The longest identifier with a sigil, in bytes.
    static let maximumLength = 255

    /// The parts of `string` around its first colon, if it begins with `sigil` and is not too long.
    static func split(_ string: String, sigil: UInt8) -> (localpart: Substring, server: Substring)? {
        let utf8 = string.utf8
        guard utf8.count <= maximumLength, utf8.first == sigil, let colon = utf8.firstIndex(of: UInt8(ascii: ":"))
        else {
            return nil
        }
        return (string[utf8.index(after: utf8.startIndex)..<colon], string[utf8.index(after: colon)...])
    }

    static func hasControlCharacters(_ string: some StringProtocol) -> Bool {
        string.utf8.contains { $0 == 0 }
    }
}
