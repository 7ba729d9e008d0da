/// Reads what looks like HTML, piece by piece, and never fails: pages are written by people.
///
/// It takes one pass over the bytes, whatever they are. As browsers do, it takes scripts and styles for text without tags.
/// [HTML, tokenization](https://html.spec.whatwg.org/multipage/parsing.html#tokenization)
struct HTMLScanner {
    /// A piece.
    enum Piece: Equatable {
        /// Characters between tags, references resolved.
        case text(String)
        /// An element begins: its name in small letters.
        case start(String, [Attribute])
        /// An element ends.
        case end(String)
    }

    /// An attribute: its name in small letters, references in its value resolved.
    struct Attribute: Equatable {
        let name: String
        let value: String
    }

    /// Attributes of one element beyond this many are passed over.
    private static let maximumAttributes = 40
    /// A name that is longer is none that anybody looks for.
    private static let maximumNameBytes = 40
    /// Elements within which there are no tags.
    private static let rawElements = ["script", "style", "textarea", "title", "noembed", "noframes", "iframe", "xmp"]

    private let bytes: [UInt8]
    private var index = 0
    /// The element whose end is looked for.
    private var raw: [UInt8]?

    /// A scanner of UTF-8 bytes.
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The next piece, or `nil` at the end.
    mutating func next() -> Piece? {
        while index < bytes.count {
            if let element = raw {
                raw = nil
                let end = endOfRaw(element)
                defer { index = end }
                if end > index { return .text(text(bytes[index..<end])) }
                continue
            }
            guard bytes[index] == UInt8(ascii: "<") else {
                let end = bytes[index...].firstIndex(of: UInt8(ascii: "<")) ?? bytes.count
                defer { index = end }
                return .text(text(bytes[index..<end]))
            }
            if let piece = readTag() { return piece }
        }
        return nil
    }

    /// Whatever a `<` begins.
    private mutating func readTag() -> Piece? {
        let start = index
        guard start + 1 < bytes.count else {
            index = bytes.count
            return nil
        }
        switch bytes[start + 1] {
        case UInt8(ascii: "!"), UInt8(ascii: "?"):
            let isComment = bytes[start...].starts(with: "<!--".utf8)
            index = skip(from: isComment ? start + 4 : start + 2, past: isComment ? "-->" : ">")
            return nil
        case UInt8(ascii: "/") where start + 2 < bytes.count && Self.isLetter(bytes[start + 2]):
            index = start + 2
            let name = readName(until: "/>")
            index = skip(from: index, past: ">")
            return .end(name)
        case let byte where Self.isLetter(byte):
            index = start + 1
            let name = readName(until: "/>")
            let attributes = readAttributes()
            if Self.rawElements.contains(name) { raw = Array(name.utf8) }
            return .start(name, attributes)
        default:
            // A "<" that is only meant as one.
            index = start + 1
            return .text("<")
        }
    }

    private mutating func readAttributes() -> [Attribute] {
        var attributes: [Attribute] = []
        while index < bytes.count {
            skipSpace()
            guard index < bytes.count else { break }
            if bytes[index] == UInt8(ascii: ">") {
                index += 1
                break
            }
            if bytes[index] == UInt8(ascii: "/") || bytes[index] == UInt8(ascii: "=") {
                index += 1
                continue
            }
            let name = readName(until: "/>=")
            skipSpace()
            var value = ""
            if index < bytes.count, bytes[index] == UInt8(ascii: "=") {
                index += 1
                skipSpace()
                value = readValue()
            }
            if attributes.count < Self.maximumAttributes { attributes.append(Attribute(name: name, value: value)) }
        }
        return attributes
    }

    private mutating func readValue() -> String {
        guard index < bytes.count else { return "" }
        let quote = bytes[index]
        if quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
            let start = index + 1
            let end = bytes[start...].firstIndex(of: quote) ?? bytes.count
            index = min(end + 1, bytes.count)
            return text(bytes[start..<end])
        }
        let start = index
        while index < bytes.count, !Self.isSpace(bytes[index]), bytes[index] != UInt8(ascii: ">") { index += 1 }
        return text(bytes[start..<index])
    }

    /// A name, in small letters.
    private mutating func readName(until ends: StaticString) -> String {
        let start = index
        while index < bytes.count, !Self.isSpace(bytes[index]), !Self.contains(ends, bytes[index]) { index += 1 }
        // Whatever stands here is passed over, or nothing would ever move on.
        if index == start { index = min(start + 1, bytes.count) }
        let name = bytes[start..<index].prefix(Self.maximumNameBytes).map { byte in
            (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
        }
        return String(decoding: name, as: UTF8.self)
    }

    private func endOfRaw(_ element: [UInt8]) -> Int {
        var at = index
        while let open = bytes[at...].firstIndex(of: UInt8(ascii: "<")) {
            let name = bytes[open...].dropFirst(2).prefix(element.count)
            if open + 1 < bytes.count, bytes[open + 1] == UInt8(ascii: "/"),
                name.elementsEqual(element, by: Self.isSame)
            {
                return open
            }
            at = open + 1
        }
        return bytes.count
    }

    private func skip(from start: Int, past end: StaticString) -> Int {
        let last = end.utf8Start[end.utf8CodeUnitCount - 1]
        var at = min(start, bytes.count)
        while let found = bytes[at...].firstIndex(of: last) {
            let begin = found - end.utf8CodeUnitCount + 1
            if begin >= start, (0..<end.utf8CodeUnitCount).allSatisfy({ bytes[begin + $0] == end.utf8Start[$0] }) {
                return found + 1
            }
            at = found + 1
        }
        return bytes.count
    }

    private mutating func skipSpace() {
        while index < bytes.count, Self.isSpace(bytes[index]) { index += 1 }
    }

    private func text(_ bytes: ArraySlice<UInt8>) -> String { HTMLReferences.resolved(bytes) }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
    private static func isSame(_ left: UInt8, _ right: UInt8) -> Bool { left | 0x20 == right }
    private static func contains(_ set: StaticString, _ byte: UInt8) -> Bool {
        (0..<set.utf8CodeUnitCount).contains { set.utf8Start[$0] == byte }
    }
}
