import Matrix

/// A mail address, in the form in which addresses are compared and written to.
///
/// [Third-party identifiers](https://spec.matrix.org/v1.19/appendices/#e-mail): the whole address with its case folded. Mail goes to
/// this form and no other, so that two ways to write one address never reach two people.
public struct EmailAddress: Sendable, Hashable, CustomStringConvertible {
    /// The longest address, in bytes.
    public static let maximumBytes = 254

    private let text: ExactString

    /// The address.
    public var string: String { text.string }
    /// The address.
    public var description: String { string }
    /// Whether it can go where letters of other languages cannot.
    public var isASCII: Bool { string.utf8.allSatisfy { $0 < 0x80 } }
    /// What stands behind the `@`.
    public var domain: String { string.split(separator: "@").last.map(String.init) ?? "" }

    /// The address that somebody has written, or `nil` if it is none that mail could be sent to: words with dots in between, an `@`,
    /// a domain. Addresses with quotes, comments, spaces or a literal in place of the domain are refused: what a mail's head or a command
    /// of SMTP is made of cannot be part of one.
    public init?(_ written: String) {
        guard written.utf8.count <= Self.maximumBytes else { return nil }
        // The way through capitals folds what has no small letter of its own: ß is ss.
        let address = written.uppercased().lowercased()
        let parts = address.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard address.utf8.count <= Self.maximumBytes, parts.count == 2, parts[0].count <= 64,
            address.unicodeScalars.allSatisfy(Self.isPrinted), Self.isLocalPart(parts[0]), Self.isDomain(parts[1])
        else { return nil }
        text = ExactString(address)
    }

    /// [Dot-string](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2), with the letters of
    /// [RFC 6531](https://www.rfc-editor.org/rfc/rfc6531#section-3.3).
    private static func isLocalPart(_ part: Substring.UTF8View.SubSequence) -> Bool {
        // A leading - could be taken for an option by what delivers the mail.
        guard part.first != UInt8(ascii: "-") else { return false }
        return part.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { word in
            !word.isEmpty && word.allSatisfy { !"\"(),:;<>[\\]".utf8.contains($0) }
        }
    }

    private static func isDomain(_ domain: Substring.UTF8View.SubSequence) -> Bool {
        domain.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.count <= 63 && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                && label.allSatisfy {
                    (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") || $0 >= 0x80
                }
        }
    }

    /// Neither space nor control character, nor one that is not seen.
    private static func isPrinted(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .spaceSeparator, .lineSeparator,
            .paragraphSeparator:
            false
        default: true
        }
    }
}
