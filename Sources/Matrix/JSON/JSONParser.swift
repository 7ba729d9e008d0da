/// Parses a text to a tape in one pass, without recursion: a hostile text costs neither stack nor more than linear memory.
///
/// It reads through a pointer, since bounds checks would double its cost; every read is guarded by `count`, and the fuzz target
/// `json` runs it under the address sanitizer. While a container is open its node holds what closing it needs: `end` the container
/// around it, `next` the number of irregularities before it.
struct JSONParser: ~Copyable {
    private let base: UnsafePointer<UInt8>
    private let count: Int
    private let options: JSONParserOptions
    private var nodes: JSONTape
    private var at = 0
    private var depth = 0
    /// The innermost open container, or -1.
    private var container = -1
    private var isInObject = false
    /// The node of the value read last.
    private var lastValue = 0
    /// What has been met that canonical JSON would write differently.
    private var irregularities: UInt32 = 0

    /// The tape of a whole text.
    static func parse(_ bytes: [UInt8], options: JSONParserOptions) throws(JSONError) -> JSONDocument {
        guard bytes.count < Int(Int32.max) else { throw .tooLong }
        var nodes: JSONTape?
        try bytes.withUnsafeBufferPointer { (buffer) throws(JSONError) in
            guard let base = buffer.baseAddress else { throw .unexpectedEnd }
            let parser = JSONParser(base: base, count: buffer.count, options: options)
            nodes = try parser.parse()
        }
        guard let tape = nodes.take() else { throw .unexpectedEnd }
        return JSONDocument(bytes: bytes, nodes: tape)
    }

    private init(base: UnsafePointer<UInt8>, count: Int, options: JSONParserOptions) {
        self.base = base
        self.count = count
        self.options = options
        nodes = JSONTape(capacity: Swift.min(count / 10, 1 << 20) + 8)
    }

    private consuming func parse() throws(JSONError) -> JSONTape {
        skipWhitespace()
        try parseValue()
        // Each turn stands directly after a value inside the innermost open container.
        while container >= 0 {
            skipWhitespace()
            guard at < count else { throw .unexpectedEnd }
            switch base[at] {
            case UInt8(ascii: ","):
                at += 1
                skipWhitespace()
                if isInObject { try parseKey(after: lastValue - 1) }
                try parseValue()
            case UInt8(ascii: "}") where isInObject: try close()
            case UInt8(ascii: "]") where !isInObject: try close()
            default: throw .unexpectedByte(offset: at)
            }
        }
        skipWhitespace()
        guard at == count else { throw .trailingBytes(offset: at) }
        nodes.trim()
        return nodes
    }

    // MARK: Containers

    /// Parses a value; a container that is not empty is left open, standing after its first key (if an object) and first value.
    @inline(__always)
    private mutating func parseValue() throws(JSONError) {
        while true {
            guard at < count else { throw .unexpectedEnd }
            switch base[at] {
            case UInt8(ascii: "\""):
                lastValue = nodes.count
                return try parseString()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                let isObject = base[at] == UInt8(ascii: "{")
                try open(isObject: isObject)
                skipWhitespace()
                guard at < count else { throw .unexpectedEnd }
                if base[at] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) { return try close() }
                if isObject { try parseKey(after: nil) }
            case UInt8(ascii: "t"): return try parseWord("true", .true)
            case UInt8(ascii: "f"): return try parseWord("false", .false)
            case UInt8(ascii: "n"): return try parseWord("null", .null)
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
            default: throw .unexpectedByte(offset: at)
            }
        }
    }

    private mutating func open(isObject: Bool) throws(JSONError) {
        guard depth < options.maximumDepth else { throw .tooDeep(limit: options.maximumDepth) }
        depth += 1
        let index = nodes.count
        nodes.append(
            JSONNode(
                start: UInt32(truncatingIfNeeded: at), end: UInt32(truncatingIfNeeded: container),
                next: irregularities, kind: isObject ? .object : .array, flag: false, isCanonical: false
            )
        )
        container = index
        isInObject = isObject
        at += 1
    }

    /// Closes the innermost container, standing before its bracket.
    private mutating func close() throws(JSONError) {
        at += 1
        var node = nodes[container]
        if node.flag {
            irregularities &+= 1
            if let offset = JSONKeys.duplicate(among: nodes, after: container, base) {
                throw .duplicateKey(offset: offset)
            }
        }
        let outer = Int(Int32(bitPattern: node.end))
        node.isCanonical = node.next == irregularities
        node.end = UInt32(truncatingIfNeeded: at)
        node.next = UInt32(truncatingIfNeeded: nodes.count)
        nodes[container] = node
        lastValue = container
        container = outer
        depth -= 1
        isInObject = outer >= 0 && nodes[outer].kind == .object
    }

    /// Parses a key and its colon.
    ///
    /// - Parameter previous: The key before it in the same object. As long as keys ascend, none can occur twice.
    @inline(__always)
    private mutating func parseKey(after previous: Int?) throws(JSONError) {
        guard at < count else { throw .unexpectedEnd }
        guard base[at] == UInt8(ascii: "\"") else { throw .unexpectedByte(offset: at) }
        let index = nodes.count
        try parseString()
        let key = nodes[index]
        if key.flag {
            nodes.nodes[container].flag = true
        } else if let previous, !nodes.nodes[container].flag, !JSONKeys.ascend(nodes[previous], key, base) {
            nodes.nodes[container].flag = true
        }
        skipWhitespace()
        guard at < count else { throw .unexpectedEnd }
        guard base[at] == UInt8(ascii: ":") else { throw .unexpectedByte(offset: at) }
        at += 1
        skipWhitespace()
    }

    @inline(__always)
    private mutating func append(_ kind: JSONKind, _ start: Int, _ end: Int, flag: Bool, isCanonical: Bool) {
        if !isCanonical { irregularities &+= 1 }
        nodes.append(
            JSONNode(
                start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: end),
                next: UInt32(truncatingIfNeeded: nodes.count + 1), kind: kind, flag: flag, isCanonical: isCanonical
            )
        )
    }

    @inline(__always)
    private mutating func skipWhitespace() {
        guard at < count, base[at] <= 0x20 else { return }
        skipRunOfWhitespace()
    }

    @inline(never)
    private mutating func skipRunOfWhitespace() {
        irregularities &+= 1
        while at < count {
            switch base[at] {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            default: return
            }
        }
    }

    // MARK: Words and numbers

    private mutating func parseWord(_ word: StaticString, _ kind: JSONKind) throws(JSONError) {
        let length = word.utf8CodeUnitCount
        for offset in 0..<length {
            guard at + offset < count else { throw .unexpectedEnd }
            guard base[at + offset] == word.utf8Start[offset] else { throw .unexpectedByte(offset: at + offset) }
        }
        lastValue = nodes.count
        append(kind, at, at + length, flag: false, isCanonical: true)
        at += length
    }

    private mutating func parseNumber() throws(JSONError) {
        let start = at
        let isNegative = base[at] == UInt8(ascii: "-")
        if isNegative { at += 1 }
        let digits = at
        var magnitude: UInt64 = 0
        while at < count {
            let digit = base[at] &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            // Beyond 17 digits the value is out of range anyway and must not overflow.
            if at - digits < 17 { magnitude = magnitude &* 10 &+ UInt64(digit) }
            at += 1
        }
        let integerDigits = at - digits
        guard integerDigits > 0 else {
            if at >= count { throw .unexpectedEnd }
            throw .unexpectedByte(offset: at)
        }
        if base[digits] == UInt8(ascii: "0"), integerDigits > 1 { throw .unexpectedByte(offset: digits + 1) }
        var isFraction = false
        var hasExponent = false
        if at < count, base[at] == UInt8(ascii: ".") {
            isFraction = true
            at += 1
            try skipDigits()
        }
        if at < count, base[at] | 0x20 == UInt8(ascii: "e") {
            hasExponent = true
            at += 1
            if at < count, base[at] == UInt8(ascii: "+") || base[at] == UInt8(ascii: "-") { at += 1 }
            try skipDigits()
        }
        if options.integersOnly,
            isFraction || hasExponent || integerDigits > 16 || magnitude > JSON.maximumInteger.magnitude
        {
            throw .numberNotAllowed(offset: start)
        }
        let isNegativeZero = isNegative && magnitude == 0 && !isFraction
        lastValue = nodes.count
        append(
            .number, start, at, flag: isFraction || hasExponent, isCanonical: !hasExponent && !isNegativeZero
        )
    }

    private mutating func skipDigits() throws(JSONError) {
        let start = at
        while at < count, base[at] &- UInt8(ascii: "0") < 10 { at += 1 }
        guard at > start else {
            if at >= count { throw .unexpectedEnd }
            throw .unexpectedByte(offset: at)
        }
    }

    // MARK: Strings

    /// Parses a string, standing before its quote.
    @inline(__always)
    private mutating func parseString() throws(JSONError) {
        let start = at + 1
        var end = start
        while true {
            end = plainRun(from: end)
            guard end < count else { throw .unexpectedEnd }
            let byte = base[end]
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") { return try parseEscapedString(start, end) }
            if byte < 0x20 { throw .controlCharacter(offset: end) }
            let length = UTF8Check.sequenceLength(base, end, count)
            guard length > 0 else { throw .invalidUTF8(offset: end) }
            end += length
        }
        append(.string, start, end, flag: false, isCanonical: true)
        at = end + 1
    }

    /// Parses the rest of a string from its first backslash on.
    @inline(never)
    private mutating func parseEscapedString(_ start: Int, _ backslash: Int) throws(JSONError) {
        var end = backslash
        var isCanonical = true
        while true {
            guard end < count else { throw .unexpectedEnd }
            let byte = base[end]
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") {
                let length = try checkEscape(end)
                if isCanonical { isCanonical = isCanonicalEscape(end, length: length) }
                end += length
            } else if byte < 0x20 {
                throw .controlCharacter(offset: end)
            } else {
                let length = UTF8Check.sequenceLength(base, end, count)
                guard length > 0 else { throw .invalidUTF8(offset: end) }
                end += length
            }
            end = plainRun(from: end)
        }
        append(.string, start, end, flag: true, isCanonical: isCanonical)
        at = end + 1
    }

    /// The first byte from `start` on that is a quote, a backslash, a control character or not ASCII: eight at a time.
    @inline(__always)
    private func plainRun(from start: Int) -> Int {
        var at = start
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        while at + 8 <= count {
            let word = UInt64(littleEndian: UnsafeRawPointer(base + at).loadUnaligned(as: UInt64.self))
            let quotes = word ^ (ones &* 0x22)
            let backslashes = word ^ (ones &* 0x5C)
            // A byte below a found one may be marked by the borrow, never one before it.
            let found =
                ((quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes | (word &- ones &* 0x20) & ~word
                    | word) & tops
            if found != 0 { return at + found.trailingZeroBitCount / 8 }
            at += 8
        }
        while at < count {
            let byte = base[at]
            if byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return at }
            at += 1
        }
        return at
    }

    /// The length of the escape sequence at `at`; two of them if they make a surrogate pair.
    private func checkEscape(_ at: Int) throws(JSONError) -> Int {
        guard at + 1 < count else { throw .unexpectedEnd }
        switch base[at + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return 2
        case UInt8(ascii: "u"):
            let unit = try hexUnit(at + 2)
            if unit < 0xD800 || unit > 0xDFFF { return 6 }
            guard unit < 0xDC00, at + 7 < count, base[at + 6] == UInt8(ascii: "\\"), base[at + 7] == UInt8(ascii: "u")
            else { throw .loneSurrogate(offset: at) }
            let low = try hexUnit(at + 8)
            guard (0xDC00...0xDFFF).contains(low) else { throw .loneSurrogate(offset: at) }
            return 12
        default:
            throw .invalidEscape(offset: at)
        }
    }

    private func hexUnit(_ at: Int) throws(JSONError) -> UInt32 {
        guard at + 4 <= count else { throw .unexpectedEnd }
        var value: UInt32 = 0
        for offset in 0..<4 {
            guard let digit = JSONText.hexDigit(base[at + offset]) else { throw .invalidEscape(offset: at - 2) }
            value = value << 4 | digit
        }
        return value
    }

    /// Whether canonical JSON writes the same escape: `\u` only for control characters without a letter of their own.
    private func isCanonicalEscape(_ at: Int, length: Int) -> Bool {
        guard length > 2 else { return base[at + 1] != UInt8(ascii: "/") }
        guard length == 6, base[at + 2] == 0x30, base[at + 3] == 0x30, base[at + 4] == 0x30 || base[at + 4] == 0x31
        else { return false }
        let digit = base[at + 5]
        if (0x41...0x46).contains(digit) { return false }
        // \u0008, 9, a, c and d are \b, \t, \n, \f and \r.
        return base[at + 4] == 0x31
            || ![UInt8(ascii: "8"), UInt8(ascii: "9"), UInt8(ascii: "a"), UInt8(ascii: "c"), UInt8(ascii: "d")]
                .contains(digit)
    }
}

/// Validation of UTF-8 as Unicode's table 3-7 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
enum UTF8Check {
    /// The length of the multi-byte sequence at `at`, or 0 if it is not valid.
    @inline(__always)
    static func sequenceLength(_ base: UnsafePointer<UInt8>, _ at: Int, _ count: Int) -> Int {
        func continues(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
            at + offset < count && range.contains(base[at + offset])
        }
        switch base[at] {
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
