/// A user's identifier, `@localpart:server`.
///
/// Any localpart that other servers may have given out long ago is accepted
/// ([historical user IDs](https://spec.matrix.org/v1.19/appendices/#historical-user-ids)); ``isStrict`` says whether it keeps to
/// today's grammar.
public struct UserID: Identifier {
    private let text: ExactString
    private let colon: Int

    /// The text.
    public var string: String { text.string }

    /// What stands between `@` and `:`.
    public var localpart: String { String(string.utf8.prefix(colon).dropFirst()) ?? "" }

    /// The user's server.
    public var server: ServerName {
        // The initializers have checked it, or whoever vouched for it.
        ServerName(trusted: String(string.utf8.dropFirst(colon + 1)) ?? "")
    }

    /// Whether the user is of that server; cheaper than comparing ``server``.
    public func isLocal(to server: ServerName) -> Bool {
        string.utf8.dropFirst(colon + 1).elementsEqual(server.string.utf8)
    }

    /// Reads an identifier; `nil` if it breaks the grammar.
    public init?(_ string: String) {
        guard let (localpart, server) = IdentifierGrammar.split(string, sigil: UInt8(ascii: "@")),
            !IdentifierGrammar.hasControlCharacters(localpart), ServerName(String(server)) != nil
        else { return nil }
        text = ExactString(string)
        colon = localpart.utf8.count + 1
    }

    /// Wraps a text that was checked before, such as one read back from the database; only the colon is looked for.
    public init?(trusted string: String) {
        guard let colon = string.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        text = ExactString(string)
        self.colon = string.utf8.distance(from: string.utf8.startIndex, to: colon)
    }

    /// The user of that localpart on that server, or `nil` if the result is too long.
    public init?(localpart: String, server: ServerName) {
        guard !localpart.utf8.contains(UInt8(ascii: ":")) else { return nil }
        self.init("@\(localpart):\(server.string)")
    }

    /// Whether the localpart keeps to the grammar for new users: `a-z`, `0-9`, `.`, `_`, `=`, `-`, `/`, `+`, not empty.
    public var isStrict: Bool { !localpart.isEmpty && localpart.utf8.allSatisfy(Self.isStrictCharacter) }

    /// Whether `left` comes first in the order of bytes.
    public static func < (left: UserID, right: UserID) -> Bool { left.text < right.text }

    private static func isStrictCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "="), UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "+"):
            true
        default: false
        }
    }
}
