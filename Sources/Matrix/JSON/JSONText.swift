/// The text of JSON strings: escaping and unescaping.
enum JSONText {
    @inline(__always)
    static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// The UTF-8 text that the inside of a string that the parser accepted stands for.
    static func unescaped(_ inside: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(inside.count)
        var at = 0
        while at < inside.count {
            guard inside[at] == UInt8(ascii: "\\"), at + 1 < inside.count else {
                out.append(inside[at])
                at += 1
                continue
            }
            switch inside[at + 1] {
            case UInt8(ascii: "b"): out.append(0x08)
            case UInt8(ascii: "f"): out.append(0x0C)
            case UInt8(ascii: "n"): out.append(0x0A)
            case UInt8(ascii: "r"): out.append(0x0D)
            case UInt8(ascii: "t"): out.append(0x09)
            case UInt8(ascii: "u"):
                var scalar = unit(inside, at + 2)
                if (0xD800...0xDBFF).contains(scalar) {
                    // The parser has made sure that the other half follows.
                    scalar = 0x10000 + ((scalar - 0xD800) << 10) + (unit(inside, at + 8) &- 0xDC00)
                    at += 6
                }
                at += 6
                appendScalar(scalar, to: &out)
                continue
            case let other: out.append(other)
            }
            at += 2
        }
        return out
    }

    /// The UTF-8 text that a string in a document stands for.
    static func unescaped(_ bytes: [UInt8], _ node: JSONNode) -> [UInt8] {
        let range = Int(node.start)..<Int(node.end)
        if !node.flag { return Array(bytes[range]) }
        return bytes.withUnsafeBufferPointer { unescaped(UnsafeBufferPointer(rebasing: $0[range])) }
    }

    private static func unit(_ text: UnsafeBufferPointer<UInt8>, _ at: Int) -> UInt32 {
        guard at + 4 <= text.count else { return 0xFFFD }
        var value: UInt32 = 0
        for offset in 0..<4 { value = value << 4 | (hexDigit(text[at + offset]) ?? 0) }
        return value
    }

    private static func appendScalar(_ value: UInt32, to out: inout [UInt8]) {
        guard let scalar = Unicode.Scalar(value) else { return }
        out.append(contentsOf: UTF8.encode(scalar) ?? UTF8.CodeUnit.replacement)
    }

    /// Whether `left` stands before `right` in the order of bytes, which for UTF-8 is that of code points.
    static func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        let common = Swift.min(left.count, right.count)
        for index in 0..<common where left[index] != right[index] { return left[index] < right[index] }
        return left.count < right.count
    }

    /// Appends `text` as a quoted string in the shortest escaping, which is also the canonical one.
    static func appendQuoted(_ text: some Sequence<UInt8>, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in text { appendEscaped(byte, to: &out) }
        out.append(UInt8(ascii: "\""))
    }

    static func appendQuoted(_ string: String, to out: inout [UInt8]) {
        let done: Void? = string.utf8.withContiguousStorageIfAvailable { buffer in
            out.append(UInt8(ascii: "\""))
            if buffer.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
                out.append(contentsOf: buffer)
            } else {
                for byte in buffer { appendEscaped(byte, to: &out) }
            }
            out.append(UInt8(ascii: "\""))
        }
        if done == nil { appendQuoted(string.utf8, to: &out) }
    }

    /// Appends a name that needs no escaping, and its colon.
    static func appendKey(_ name: StaticString, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { out.append(contentsOf: $0) }
        out.append(UInt8(ascii: "\""))
        out.append(UInt8(ascii: ":"))
    }

    @inline(__always)
    private static func appendEscaped(_ byte: UInt8, to out: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            out.append(UInt8(ascii: "\\"))
            out.append(byte)
        case 0x20...0xFF: out.append(byte)
        case 0x08: out.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "b")])
        case 0x09: out.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "t")])
        case 0x0A: out.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
        case 0x0C: out.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "f")])
        case 0x0D: out.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "r")])
        default:
            let digits = Array("0123456789abcdef".utf8)
            out.append(contentsOf: Array("\\u00".utf8))
            out.append(digits[Int(byte >> 4)])
            out.append(digits[Int(byte & 15)])
        }
    }
}

extension UTF8.CodeUnit {
    /// The encoding of U+FFFD; only there because encoding a scalar is typed as fallible.
    fileprivate static var replacement: UTF8.EncodedScalar { UTF8.encodedReplacementCharacter }
}
