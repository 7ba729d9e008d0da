/// The algorithm of a device's key, such as `signed_curve25519`. Any text; the server need not know it.
///
/// [Key algorithms](https://spec.matrix.org/v1.19/client-server-api/#key-algorithms).
public struct KeyAlgorithm: Identifier, ExpressibleByStringLiteral {
    private let text: ExactString

    /// The text.
    public var string: String { text.string }

    /// Any text of 1 to 255 bytes without NUL.
    public init?(_ string: String) {
        guard (1...IdentifierGrammar.maximumLength).contains(string.utf8.count),
            !IdentifierGrammar.hasControlCharacters(string)
        else { return nil }
        text = ExactString(string)
    }

    /// An algorithm of that name.
    public init(stringLiteral value: String) { text = ExactString(value) }

    /// One-time keys that are signed by their device: the ones that clients use today.
    public static let signedCurve25519: KeyAlgorithm = "signed_curve25519"

    /// Whether `left` comes first in the order of bytes.
    public static func < (left: KeyAlgorithm, right: KeyAlgorithm) -> Bool { left.text < right.text }
}

/// The identifier of a device's one-time or fallback key, `algorithm:name`.
public struct DeviceKeyID: Identifier {
    /// The part before the first colon.
    public let algorithm: KeyAlgorithm
    private let nameText: ExactString

    /// The part after the first colon.
    public var name: String { nameText.string }

    /// The text.
    public var string: String { "\(algorithm):\(name)" }

    /// - Returns: `nil` unless there is a colon with at least one byte on either side, and for more than 255 bytes.
    public init?(_ string: String) {
        guard string.utf8.count <= IdentifierGrammar.maximumLength, !IdentifierGrammar.hasControlCharacters(string),
            let colon = string.utf8.firstIndex(of: UInt8(ascii: ":")),
            let algorithm = KeyAlgorithm(String(string[..<colon]))
        else { return nil }
        let name = String(string[string.utf8.index(after: colon)...])
        guard !name.isEmpty else { return nil }
        self.init(algorithm: algorithm, name: name)
    }

    /// The identifier of an algorithm and a name that were checked before.
    public init(algorithm: KeyAlgorithm, name: String) {
        self.algorithm = algorithm
        nameText = ExactString(name)
    }

    /// Whether `left` comes first in the order of bytes.
    public static func < (left: DeviceKeyID, right: DeviceKeyID) -> Bool {
        left.algorithm == right.algorithm ? left.nameText < right.nameText : left.algorithm < right.algorithm
    }
}
