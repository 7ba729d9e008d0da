/// What an XML document consists of, piece by piece.
///
/// As much of [XML 1.0](https://www.w3.org/TR/xml/) as services answer in: elements, texts, references, CDATA, comments. Documents with a
/// DOCTYPE, and so with entities of their own, are refused, as is what is not UTF-8.
struct XMLReader {
    /// A piece.
    enum Piece: Equatable {
        /// An element begins: its local name and its namespace.
        case start(name: String, namespace: String)
        /// The innermost open element ends.
        case end
        /// Characters.
        case text(String)
    }

    /// Not XML, or XML of a kind that is not read.
    struct Malformed: Error {}

    private struct Open {
        let name: [UInt8]
        /// Prefixes that the element gives a namespace, the empty one included.
        let namespaces: [(prefix: [UInt8], namespace: String)]
    }

    private static let maximumDepth = 64

    private let bytes: [UInt8]
    private var index = 0
    private var open: [Open] = []
    private var isEmptyElement = false
    private var sawRoot = false

    init(_ bytes: [UInt8]) throws(Malformed) {
        guard String(validating: bytes, as: UTF8.self) != nil, !bytes.contains(0) else { throw Malformed() }
        self.bytes = bytes
        if starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    }

    /// The next piece, or `nil` at the end of a whole document.
    mutating func next() throws(Malformed) -> Piece? {
        if isEmptyElement {
            isEmptyElement = false
            open.removeLast()
            return .end
        }
        while index < bytes.count {
            if bytes[index] != UInt8(ascii: "<") {
                let text = try readText()
                if !open.isEmpty { return .text(text) }
                // Between the document's parts there is only space.
                guard text.utf8.allSatisfy(Self.isSpace) else { throw Malformed() }
            } else if starts(with: "<?") {
                try skip(past: "?>")
            } else if starts(with: "<!--") {
                try skip(past: "-->")
            } else if starts(with: "<![CDATA[") {
                guard !open.isEmpty else { throw Malformed() }
                index += 9
                let start = index
                try skip(past: "]]>")
                return .text(String(decoding: bytes[start..<index - 3], as: UTF8.self))
            } else if starts(with: "<!") {
                throw Malformed()
            } else if starts(with: "</") {
                return try readEnd()
            } else {
                return try readStart()
            }
        }
        guard open.isEmpty, sawRoot else { throw Malformed() }
        return nil
    }

    // MARK: Pieces

    private mutating func readStart() throws(Malformed) -> Piece {
        guard open.count < Self.maximumDepth, !(open.isEmpty && sawRoot) else { throw Malformed() }
        sawRoot = true
        index += 1
        let name = try readName()
        var namespaces: [(prefix: [UInt8], namespace: String)] = []
        while true {
            let hadSpace = skipSpace()
            if starts(with: ">") {
                index += 1
                break
            }
            if starts(with: "/>") {
                index += 2
                isEmptyElement = true
                break
            }
            guard hadSpace else { throw Malformed() }
            let attribute = try readName()
            let value = try readAttributeValue()
            if attribute.elementsEqual("xmlns".utf8) { namespaces.append(([], value)) }
            if attribute.starts(with: "xmlns:".utf8) { namespaces.append((Array(attribute.dropFirst(6)), value)) }
        }
        open.append(Open(name: name, namespaces: namespaces))
        let parts = name.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
        let prefix = parts.count > 1 ? Array(parts[0]) : []
        return .start(
            name: String(decoding: parts[parts.count - 1], as: UTF8.self), namespace: try namespace(of: prefix))
    }

    private func namespace(of prefix: [UInt8]) throws(Malformed) -> String {
        for element in open.reversed() {
            if let found = element.namespaces.first(where: { $0.prefix == prefix }) { return found.namespace }
        }
        guard prefix.isEmpty else { throw Malformed() }
        return ""
    }

    private mutating func readEnd() throws(Malformed) -> Piece {
        index += 2
        let name = try readName()
        skipSpace()
        guard starts(with: ">"), open.last?.name == name else { throw Malformed() }
        index += 1
        open.removeLast()
        return .end
    }

    private mutating func readText() throws(Malformed) -> String {
        var out: [UInt8] = []
        while index < bytes.count, bytes[index] != UInt8(ascii: "<") {
            if bytes[index] == UInt8(ascii: "&") {
                out += try readReference()
            } else {
                out.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private mutating func readAttributeValue() throws(Malformed) -> String {
        skipSpace()
        guard starts(with: "=") else { throw Malformed() }
        index += 1
        skipSpace()
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") || bytes[index] == UInt8(ascii: "'") else {
            throw Malformed()
        }
        let quote = bytes[index]
        index += 1
        var out: [UInt8] = []
        while index < bytes.count, bytes[index] != quote {
            switch bytes[index] {
            case UInt8(ascii: "<"): throw Malformed()
            case UInt8(ascii: "&"): out += try readReference()
            default:
                out.append(bytes[index])
                index += 1
            }
        }
        guard index < bytes.count else { throw Malformed() }
        index += 1
        return String(decoding: out, as: UTF8.self)
    }

    /// One of the five names that every document has, or a number.
    private mutating func readReference() throws(Malformed) -> [UInt8] {
        guard let end = bytes[index...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else { throw Malformed() }
        let name = String(decoding: bytes[index + 1..<end], as: UTF8.self)
        index = end + 1
        switch name {
        case "amp": return [UInt8(ascii: "&")]
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default: break
        }
        guard name.hasPrefix("#") else { throw Malformed() }
        let isHexadecimal = name.hasPrefix("#x")
        let digits = name.dropFirst(isHexadecimal ? 2 : 1)
        guard !digits.hasPrefix("+"), !digits.hasPrefix("-"), let code = UInt32(digits, radix: isHexadecimal ? 16 : 10),
            code > 0, let scalar = Unicode.Scalar(code)
        else { throw Malformed() }
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func readName() throws(Malformed) -> [UInt8] {
        let start = index
        while index < bytes.count, Self.isNameByte(bytes[index]) { index += 1 }
        let name = Array(bytes[start..<index])
        guard let first = name.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "."),
            !(0x30...0x39).contains(first)
        else { throw Malformed() }
        return name
    }

    // MARK: Bytes

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80...0xFF: true
        default:
            byte == UInt8(ascii: ":") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
                || byte == UInt8(ascii: ".")
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    @discardableResult
    private mutating func skipSpace() -> Bool {
        let start = index
        while index < bytes.count, Self.isSpace(bytes[index]) { index += 1 }
        return index > start
    }

    private func starts(with text: StaticString) -> Bool {
        text.withUTF8Buffer { starts(with: Array($0)) }
    }

    private func starts(with prefix: [UInt8]) -> Bool { bytes[index...].starts(with: prefix) }

    private mutating func skip(past end: StaticString) throws(Malformed) {
        while index < bytes.count {
            if starts(with: end) {
                index += end.utf8CodeUnitCount
                return
            }
            index += 1
        }
        throw Malformed()
    }
}
