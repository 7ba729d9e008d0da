/// A device's identifier: opaque text, unique for its user.
public struct DeviceID: Identifier {
    private let text: ExactString

    /// The text.
    public var string: String { text.string }

    /// Any text of 1 to 255 bytes without NUL.
    public init?(_ string: String) {
        guard (1...255).contains(string.utf8.count), !IdentifierGrammar.hasControlCharacters(string) else { return nil }
        text = ExactString(string)
    }

    /// Whether `left` comes first in the order of bytes.
    public static func < (left: DeviceID, right: DeviceID) -> Bool { left.text < right.text }
}
