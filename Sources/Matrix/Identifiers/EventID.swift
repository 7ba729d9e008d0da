/// An event's identifier: `$opaque:server` in room versions 1 and 2, `$` and a hash of the event since.
///
/// [Event IDs](https://spec.matrix.org/v1.19/appendices/#event-ids).
public struct EventID: Identifier {
    private let text: ExactString

    /// The text.
    public var string: String { text.string }

    /// The server that made the identifier, in room versions 1 and 2.
    public var server: ServerName? {
        guard let (_, server) = IdentifierGrammar.split(string, sigil: UInt8(ascii: "$")) else { return nil }
        return ServerName(String(server))
    }

    /// Reads an identifier; `nil` if it breaks the grammar.
    public init?(_ string: String) {
        let utf8 = string.utf8
        guard utf8.first == UInt8(ascii: "$"), utf8.count > 1, utf8.count <= IdentifierGrammar.maximumLength,
            !IdentifierGrammar.hasControlCharacters(string)
        else { return nil }
        text = ExactString(string)
    }

    /// Wraps a text that was checked before, such as one read back from the database.
    public init(trusted string: String) { text = ExactString(string) }

    /// Whether `left` comes first in the order of bytes.
    public static func < (left: EventID, right: EventID) -> Bool { left.text < right.text }
}
