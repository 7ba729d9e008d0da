/// The identifier of a signing key: its algorithm and a name, `ed25519:abc`.
///
/// [Signing key identifier](https://spec.matrix.org/v1.19/appendices/#signing-details).
public struct SigningKeyID: Identifier {
    private let text: ExactString

    /// The text.
    public var string: String { text.string }

    /// The part before the colon.
    public var algorithm: String { string.utf8.firstIndex(of: UInt8(ascii: ":")).map { String(string[..<$0]) } ?? "" }

    /// The part after the colon.
    public var name: String {
        string.utf8.firstIndex(of: UInt8(ascii: ":")).map { String(string[string.utf8.index(after: $0)...]) } ?? ""
    }

    /// Whether the algorithm is the one that Chappe can verify.
    public var isEd25519: Bool { string.utf8.starts(with: "ed25519:".utf8) }

    /// Reads an identifier; `nil` if it breaks the grammar.
    public init?(_ string: String) {
        guard string.utf8.count <= IdentifierGrammar.maximumLength, !IdentifierGrammar.hasControlCharacters(string),
            let colon = string.utf8.firstIndex(of: UInt8(ascii: ":")), colon != string.startIndex,
            string.utf8.index(after: colon) != string.endIndex
        else { return nil }
        text = ExactString(string)
    }

    /// Whether `left` comes first in the order of bytes.
    public static func < (left: SigningKeyID, right: SigningKeyID) -> Bool { left.text < right.text }
}
