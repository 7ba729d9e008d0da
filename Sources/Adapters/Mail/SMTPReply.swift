import Matrix

/// What an SMTP server answers: a code and lines of text.
///
/// [RFC 5321, section 4.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.2).
struct SMTPReply: Sendable, Equatable {
    /// Three digits.
    let code: Int
    /// The lines, without code.
    let lines: [String]
}

/// Puts replies together from the bytes of a connection.
struct SMTPReplyParser {
    /// A server that says more at once is none.
    private static let maximumBytes = 64 << 10

    /// Not SMTP.
    struct Malformed: Error {}

    private var bytes: [UInt8] = []
    private var lines: [String] = []
    private var code = 0

    /// Whether nothing is left over: what came before encryption must not be taken for what comes after.
    var isEmpty: Bool { bytes.isEmpty && lines.isEmpty }

    mutating func append(_ more: some Sequence<UInt8>) throws(Malformed) {
        bytes += more
        guard bytes.count <= Self.maximumBytes else { throw Malformed() }
    }

    /// The next whole reply, if it is there.
    mutating func next() throws(Malformed) -> SMTPReply? {
        while let end = bytes.firstIndex(of: 10) {
            var line = bytes[..<end]
            if line.last == 13 { line = line.dropLast() }
            let text = String(decoding: line, as: UTF8.self)
            bytes.removeSubrange(...end)
            let digits = text.utf8.prefix(3)
            guard digits.count == 3, digits.allSatisfy({ (0x30...0x39).contains($0) }),
                let code = Int(text.prefix(3)), (200...599).contains(code), lines.isEmpty || code == self.code
            else { throw Malformed() }
            self.code = code
            let separator = text.utf8.dropFirst(3).first
            guard separator == nil || separator == UInt8(ascii: " ") || separator == UInt8(ascii: "-") else {
                throw Malformed()
            }
            lines.append(String(text.unicodeScalars.dropFirst(4)))
            guard lines.count <= 200 else { throw Malformed() }
            if separator == UInt8(ascii: "-") { continue }
            defer { lines = [] }
            return SMTPReply(code: code, lines: lines)
        }
        return nil
    }
}
