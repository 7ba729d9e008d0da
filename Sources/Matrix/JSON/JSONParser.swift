/// What a parser accepts beyond the grammar of RFC 8259.
public struct JSONParserOptions: Sendable {
    /// Reject fractions, exponents and integers outside ±(2^53−1), as
    /// [canonical JSON](https://spec.matrix.org/v1.19/appendices/#canonical-json) demands.
    public var integersOnly: Bool
    /// How deep arrays and objects may be nested.
    public var maximumDepth: Int

    /// - Parameters:
    ///   - integersOnly: Reject numbers that canonical JSON does not know.
    ///   - maximumDepth: Levels of nesting.
    public init(integersOnly: Bool = false, maximumDepth: Int = 100) {
        self.integersOnly = integersOnly
        self.maximumDepth = maximumDepth
    }

    /// For bodies of requests: any JSON number.
    public static let lenient = JSONParserOptions()
    /// For events of room version 6 and later.
    public static let canonical = JSONParserOptions(integersOnly: true)
    /// For what this server has stored after checking it.
    public static let stored = JSONParserOptions(maximumDepth: maximumStoredDepth)

    /// How deep an event may be nested. More than in requests: an event that other servers of the room take should not be refused here.
    public static let maximumEventDepth = 200
    private static let maximumStoredDepth = 10_000
}

/// Parses a text to a tape in one pass, without recursion: a hostile text costs neither stack nor more than linear memory.
struct JSONParser: ~Copyable {
    private var nodes: [JSONNode] = []
    private var open: [Int] = []
    private let options: JSONParserOptions

    init(options: JSONParserOptions, sizeHint: Int) {
        self.options = options
        nodes.reserveCapacity(Swift.max(8, Swift.min(sizeHint / 12, 1 << 16)))
    }

    consuming func parse(_ bytes: [UInt8]) throws(JSONError) -> [JSONNode] {
        guard bytes.count < Int(Int32.max) else { throw .tooLong }
        let span = bytes.span
        var at = skipWhitespace(span, 0)
        at = try parseValue(span, at)
        // Each turn stands directly after a value inside the innermost open container.
        while let container = open.last {
            at = skipWhitespace(span, at)
            guard at < span.count else { throw .unexpectedEnd }
            let isObject = nodes[container].kind == .object
            switch span[at] {
            case UInt8(ascii: ","):
                at = skipWhitespace(span, at + 1)
                if isObject { at = try parseKey(span, at) }
                at = try parseValue(span, at)
            case UInt8(ascii: "}") where isObject:
                at += 1
                try close(container, at, span)
            case UInt8(ascii: "]") where !isObject:
                at += 1
                try close(container, at, span)
            default:
                throw .unexpectedByte(offset: at)
            }
        }
        at = skipWhitespace(span, at)
        guard at == span.count else { throw .trailingBytes(offset: at) }
        return nodes
    }

    private mutating func close(_ container: Int, _ end: Int, _ span: Span<UInt8>) throws(JSONError) {
        nodes[container].end = UInt32(end)
        nodes[container].next = UInt32(nodes.count)
        open.removeLast()
        if nodes[container].kind == .object { try checkDuplicates(container, span) }
    }

    /// Parses a value; a container that is not empty is left open, standing after its first key (if an object)
    /// and first value.
    private mutating func parseValue(_ span: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
        var at = start
        while true {
            guard at < span.count else { throw .unexpectedEnd }
            switch span[at] {
            case UInt8(ascii: "\""):
                return try parseString(span, at)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                let isObject = span[at] == UInt8(ascii: "{")
                guard open.count < options.maximumDepth else { throw .tooDeep(limit: options.maximumDepth) }
                open.append(nodes.count)
                append(isObject ? .object : .array, at, at)
                at = skipWhitespace(span, at + 1)
                guard at < span.count else { throw .unexpectedEnd }
                if span[at] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    try close(nodes.count - 1, at + 1, span)
                    return at + 1
                }
                if isObject { at = try parseKey(span, at) }
            case UInt8(ascii: "t"): return try parseWord(span, at, "true", .true)
            case UInt8(ascii: "f"): return try parseWord(span, at, "false", .false)
            case UInt8(ascii: "n"): return try parseWord(span, at, "null", .null)
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber(span, at)
            default: throw .unexpectedByte(offset: at)
            }
        }
    }

    private mutating func parseKey(_ span: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
        guard start < span.count else { throw .unexpectedEnd }
        guard span[start] == UInt8(ascii: "\"") else { throw .unexpectedByte(offset: start) }
        var at = skipWhitespace(span, try parseString(span, start))
        guard at < span.count else { throw .unexpectedEnd }
        guard span[at] == UInt8(ascii: ":") else { throw .unexpectedByte(offset: at) }
        at += 1
        return skipWhitespace(span, at)
    }

    private mutating func append(_ kind: JSONKind, _ start: Int, _ end: Int, flag: Bool = false) {
        nodes.append(
            JSONNode(
                start: UInt32(start), end: UInt32(end), next: UInt32(nodes.count + 1), kind: kind, flag: flag
            )
        )
    }

    private mutating func parseWord(
        _ span: Span<UInt8>, _ start: Int, _ word: StaticString, _ kind: JSONKind
    ) throws(JSONError) -> Int {
        let length = word.utf8CodeUnitCount
        for offset in 0..<length {
            guard start + offset < span.count else { throw .unexpectedEnd }
            guard span[start + offset] == word.utf8Start[offset] else { throw .unexpectedByte(offset: start + offset) }
        }
        append(kind, start, start + length)
        return start + length
    }

    private mutating func parseNumber(_ span: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
        var at = start
        let negative = span[at] == UInt8(ascii: "-")
        if negative { at += 1 }
        let digits = at
        var magnitude: UInt64 = 0
        while at < span.count, let digit = Self.digit(span[at]) {
            // Beyond 17 digits the value is out of range anyway and must not overflow.
            if at - digits < 17 { magnitude = magnitude * 10 + digit }
            at += 1
        }
        guard at > digits else {
            if at >= span.count { throw .unexpectedEnd }
            throw .unexpectedByte(offset: at)
        }
        if span[digits] == UInt8(ascii: "0"), at > digits + 1 { throw .unexpectedByte(offset: digits + 1) }
        let integerDigits = at - digits
        var isFraction = false
        if at < span.count, span[at] == UInt8(ascii: ".") {
            isFraction = true
            at = try parseDigits(span, at + 1)
        }
        if at < span.count, span[at] | 0x20 == UInt8(ascii: "e") {
            isFraction = true
            at += 1
            if at < span.count, span[at] == UInt8(ascii: "+") || span[at] == UInt8(ascii: "-") { at += 1 }
            at = try parseDigits(span, at)
        }
        if options.integersOnly, isFraction || integerDigits > 16 || magnitude > JSON.maximumInteger.magnitude {
            throw .numberNotAllowed(offset: start)
        }
        append(.number, start, at, flag: isFraction)
        return at
    }

    private func parseDigits(_ span: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
        var at = start
        while at < span.count, Self.digit(span[at]) != nil { at += 1 }
        guard at > start else {
            if at >= span.count { throw .unexpectedEnd }
            throw .unexpectedByte(offset: at)
        }
        return at
    }

    @inline(__always)
    private static func digit(_ byte: UInt8) -> UInt64? {
        let value = byte &- UInt8(ascii: "0")
        return value < 10 ? UInt64(value) : nil
    }

    private mutating func parseString(_ span: Span<UInt8>, _ quote: Int) throws(JSONError) -> Int {
        let start = quote + 1
        var at = start
        var escaped = false
        let count = span.count
        while at < count {
            let byte = span[at]
            if byte == UInt8(ascii: "\"") {
                append(.string, start, at, flag: escaped)
                return at + 1
            }
            if byte == UInt8(ascii: "\\") {
                escaped = true
                at = try checkEscape(span, at)
            } else if byte < 0x20 {
                throw .controlCharacter(offset: at)
            } else if byte < 0x80 {
                at += 1
            } else {
                let length = UTF8Check.sequenceLength(span, at)
                guard length > 0 else { throw .invalidUTF8(offset: at) }
                at += length
            }
        }
        throw .unexpectedEnd
    }

    private func checkEscape(_ span: Span<UInt8>, _ at: Int) throws(JSONError) -> Int {
        guard at + 1 < span.count else { throw .unexpectedEnd }
        switch span[at + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return at + 2
        case UInt8(ascii: "u"):
            let unit = try hexUnit(span, at + 2)
            if unit < 0xD800 || unit > 0xDFFF { return at + 6 }
            guard unit < 0xDC00, at + 7 < span.count, span[at + 6] == UInt8(ascii: "\\"),
                span[at + 7] == UInt8(ascii: "u")
            else { throw .loneSurrogate(offset: at) }
            let low = try hexUnit(span, at + 8)
            guard (0xDC00...0xDFFF).contains(low) else { throw .loneSurrogate(offset: at) }
            return at + 12
        default:
            throw .invalidEscape(offset: at)
        }
    }

    private func hexUnit(_ span: Span<UInt8>, _ at: Int) throws(JSONError) -> UInt32 {
        guard at + 4 <= span.count else { throw .unexpectedEnd }
        var value: UInt32 = 0
        for offset in 0..<4 {
            guard let digit = JSONText.hexDigit(span[at + offset]) else { throw .invalidEscape(offset: at - 2) }
            value = value << 4 | digit
        }
        return value
    }

    @inline(__always)
    private func skipWhitespace(_ span: Span<UInt8>, _ start: Int) -> Int {
        var at = start
        while at < span.count {
            switch span[at] {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            default: return at
            }
        }
        return at
    }

    private func checkDuplicates(_ container: Int, _ span: Span<UInt8>) throws(JSONError) {
        var keys: [JSONNode] = []
        var index = container + 1
        let end = Int(nodes[container].next)
        while index < end {
            keys.append(nodes[index])
            index = Int(nodes[index + 1].next)
        }
        guard keys.count > 1 else { return }
        if keys.count <= 12, keys.allSatisfy({ !$0.flag }) {
            for upper in 1..<keys.count {
                for lower in 0..<upper where Self.sameBytes(keys[upper], keys[lower], span) {
                    throw .duplicateKey(offset: Int(keys[upper].start))
                }
            }
            return
        }
        // Sorting bounds the work on objects with many keys; escaped keys are compared by what they stand for.
        var texts: [(text: [UInt8], offset: Int)] = keys.map { key in
            (JSONText.unescaped(span, Int(key.start), Int(key.end), escaped: key.flag), Int(key.start))
        }
        texts.sort { JSONText.precedes($0.text, $1.text) }
        for index in 1..<texts.count where texts[index].text == texts[index - 1].text {
            throw .duplicateKey(offset: Swift.max(texts[index].offset, texts[index - 1].offset))
        }
    }

    private static func sameBytes(_ left: JSONNode, _ right: JSONNode, _ span: Span<UInt8>) -> Bool {
        guard left.end - left.start == right.end - right.start else { return false }
        for offset in 0..<Int(left.end - left.start)
        where span[Int(left.start) + offset] != span[Int(right.start) + offset] {
            return false
        }
        return true
    }
}

/// Validation of UTF-8 as Unicode's table 3-7 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
enum UTF8Check {
    /// The length of the multi-byte sequence at `at`, or 0 if it is not valid.
    @inline(__always)
    static func sequenceLength(_ span: Span<UInt8>, _ at: Int) -> Int {
        func continues(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
            at + offset < span.count && range.contains(span[at + offset])
        }
        switch span[at] {
        case 0xC2...0xDF: return continues(1) ? 2 : 0
        case 0xE0: return continues(1, 0xA0...0xBF) && continues(2) ? 3 : 0
        case 0xE1...0xEC, 0xEE...0xEF: return continues(1) && continues(2) ? 3 : 0
        case 0xED: return continues(1, 0x80...0x9F) && continues(2) ? 3 : 0
        case 0xF0: return continues(1, 0x90...0xBF) && continues(2) && continues(3) ? 4 : 0
        case 0xF1...0xF3: return continues(1) && continues(2) && continues(3) ? 4 : 0
        case 0xF4: return continues(1, 0x80...0x8F) && continues(2) && continues(3) ? 4 : 0
        default: return 0
        }
    }
}
