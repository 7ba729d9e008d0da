/// A room's identifier: `!opaque:server`, or in room version 12 and later `!` and the hash of the creation event.
///
/// [Room IDs](https://spec.matrix.org/v1.19/appendices/#room-ids).
public struct RoomID: Identifier {
    private let text: ExactString

    /// The text.
    public var string: String { text.string }

    /// The server that made the identifier; `nil` in room versions whose identifiers name none.
    public var server: ServerName? {
        guard let (_, server) = IdentifierGrammar.split(string, sigil: UInt8(ascii: "!")) else { return nil }
        return ServerName(String(server))
    }

    /// Reads an identifier; `nil` if it breaks the grammar.
    public init?(_ string: String) {
        let utf8 = string.utf8
        guard utf8.first == UInt8(ascii: "!"), utf8.count > 1, utf8.count <= IdentifierGrammar.maximumLength,
            !IdentifierGrammar.hasControlCharacters(string)
        else { return nil }
        if let (_, server) = IdentifierGrammar.split(string, sigil: UInt8(ascii: "!")),
            ServerName(String(server)) == nil
        {
            return nil
        }
        text = ExactString(string)
    }

    /// Wraps a text that was checked before, such as one read back from the database.
    public init(trusted string: String) { text = ExactString(string) }

    /// Whether `left` comes first in the order of bytes.
    public static func < (left: RoomID, right: RoomID) -> Bool { left.text < right.text }
}

/// A room's alias, `#name:server`.
///
/// [Room aliases](https://spec.matrix.org/v1.19/appendices/#room-aliases).
public struct RoomAlias: Identifier {
    private let text: ExactString

    /// The text.
    public var string: String { text.string }

    /// What stands between `#` and `:`.
    public var localpart: String {
        IdentifierGrammar.split(string, sigil: UInt8(ascii: "#")).map { String($0.localpart) } ?? ""
    }

    /// The server that resolves the alias.
    public var server: ServerName {
        // The initializer has checked it.
        ServerName(trusted: IdentifierGrammar.split(string, sigil: UInt8(ascii: "#")).map { String($0.server) } ?? "")
    }

    /// Reads an identifier; `nil` if it breaks the grammar.
    public init?(_ string: String) {
        guard let (localpart, server) = IdentifierGrammar.split(string, sigil: UInt8(ascii: "#")),
            !IdentifierGrammar.hasControlCharacters(localpart), ServerName(String(server)) != nil
        else { return nil }
        text = ExactString(string)
    }

    /// Whether `left` comes first in the order of bytes.
    public static func < (left: RoomAlias, right: RoomAlias) -> Bool { left.text < right.text }
}
