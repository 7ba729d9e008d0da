/// A piece of SQL text.
struct SQLToken: Equatable {
    enum Kind: Equatable {
        /// Keyword, name or number.
        case word
        /// `$n`.
        case parameter(Int)
        /// String, quoted name or dollar-quoted text, quotes included.
        case quoted
        case space
        case comment
        /// Any other single byte.
        case symbol(UInt8)
    }

    let kind: Kind
    let text: String

    /// Whether this is the keyword, in any case.
    func isWord(_ keyword: String) -> Bool { kind == .word && text.uppercased() == keyword }
    func isSymbol(_ character: Unicode.Scalar) -> Bool { kind == .symbol(UInt8(ascii: character)) }
    /// Whether this separates without meaning anything.
    var isBlank: Bool { kind == .space || kind == .comment }
}

/// Cuts SQL into tokens, so that rewriting never touches strings, quoted names or comments.
struct SQLTokenizer {
    private let bytes: [UInt8]
    private var position = 0

    static func tokens(of text: String) -> [SQLToken] {
        var tokenizer = SQLTokenizer(text)
        var tokens: [SQLToken] = []
        while let token = tokenizer.next() { tokens.append(token) }
        return tokens
    }

    private init(_ text: String) { bytes = Array(text.utf8) }

    private mutating func next() -> SQLToken? {
        guard position < bytes.count else { return nil }
        let start = position
        let kind = scan()
        return SQLToken(kind: kind, text: String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func scan() -> SQLToken.Kind {
        let byte = bytes[position]
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
            advance { $0 == 0x20 || $0 == 0x0A || $0 == 0x09 || $0 == 0x0D }
            return .space
        case UInt8(ascii: "'"), UInt8(ascii: "\""):
            skipQuoted(byte)
            return .quoted
        case UInt8(ascii: "-") where peek(1) == UInt8(ascii: "-"):
            advance { $0 != 0x0A }
            return .comment
        case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"):
            skip(past: Array("*/".utf8), from: position + 2)
            return .comment
        case UInt8(ascii: "$"):
            return scanDollar()
        case _ where Self.isWordByte(byte):
            advance(while: Self.isWordByte)
            return .word
        default:
            position += 1
            return .symbol(byte)
        }
    }

    /// `$1`, or PostgreSQL's `$tag$ … $tag$`.
    private mutating func scanDollar() -> SQLToken.Kind {
        let start = position
        position += 1
        if let digit = peek(0), Self.isDigit(digit) {
            var number = 0
            while let digit = peek(0), Self.isDigit(digit), number < 100_000 {
                number = number * 10 + Int(digit - UInt8(ascii: "0"))
                position += 1
            }
            return .parameter(number)
        }
        advance(while: Self.isWordByte)
        guard peek(0) == UInt8(ascii: "$") else {
            position = start + 1
            return .symbol(UInt8(ascii: "$"))
        }
        position += 1
        skip(past: Array(bytes[start..<position]), from: position)
        return .quoted
    }

    private mutating func skipQuoted(_ quote: UInt8) {
        position += 1
        while position < bytes.count {
            if bytes[position] == quote {
                guard peek(1) == quote else {
                    position += 1
                    return
                }
                position += 1  // a doubled quote stands for one
            }
            position += 1
        }
    }

    private mutating func skip(past end: [UInt8], from start: Int) {
        position = min(start, bytes.count)
        while position < bytes.count {
            if bytes[position...].starts(with: end) {
                position += end.count
                return
            }
            position += 1
        }
    }

    private mutating func advance(while condition: (UInt8) -> Bool) {
        while position < bytes.count, condition(bytes[position]) { position += 1 }
    }

    private func peek(_ distance: Int) -> UInt8? {
        position + distance < bytes.count ? bytes[position + distance] : nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
            || byte == UInt8(ascii: "_") || byte >= 0x80
    }
}
