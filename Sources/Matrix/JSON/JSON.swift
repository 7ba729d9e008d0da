/// A value inside a parsed JSON text: a view, cheap to copy, that keeps the text alive.
public struct JSON: Sendable {
    /// The largest magnitude of an integer in canonical JSON, 2^53 − 1.
    public static let maximumInteger: Int64 = 9_007_199_254_740_991

    /// The text that the value is part of.
    public let document: JSONDocument
    let index: Int

    init(document: JSONDocument, index: Int) {
        self.document = document
        self.index = index
    }

    /// Parses a whole text.
    ///
    /// - Throws: ``JSONError`` for anything RFC 8259 or `options` do not allow, and for duplicate keys.
    public init(parsing bytes: [UInt8], options: JSONParserOptions = .lenient) throws(JSONError) {
        self.init(document: try JSONParser.parse(bytes, options: options), index: 0)
    }

    /// Parses a whole text.
    public init(parsing text: String, options: JSONParserOptions = .lenient) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), options: options)
    }

    var node: JSONNode { document.nodes[index] }

    /// The kind of value.
    public var kind: JSONKind { node.kind }
    /// Whether the value is `null`.
    public var isNull: Bool { kind == .null }
    /// Whether the value is an object.
    public var isObject: Bool { kind == .object }
    /// Whether the value is an array.
    public var isArray: Bool { kind == .array }

    /// The value's own text, as received.
    public var bytes: ArraySlice<UInt8> {
        let node = node
        return node.kind == .string
            ? document.bytes[Int(node.start) - 1..<Int(node.end) + 1] : document.bytes[Int(node.start)..<Int(node.end)]
    }

    /// The string, or `nil` if the value is none.
    public var string: String? {
        let node = node
        guard node.kind == .string else { return nil }
        return document.text(of: node)
    }

    /// The boolean, or `nil` if the value is none.
    public var bool: Bool? {
        switch kind {
        case .true: true
        case .false: false
        default: nil
        }
    }

    /// The integer within ±(2^53−1), or `nil` if the value is none. A fraction is none, even `1.0`.
    public var int: Int64? {
        let node = node
        guard node.kind == .number, !node.flag else { return nil }
        var value: Int64 = 0
        var negative = false
        guard node.end - node.start <= 17 else { return nil }
        for byte in document.bytes[Int(node.start)..<Int(node.end)] {
            if byte == UInt8(ascii: "-") {
                negative = true
            } else {
                value = value * 10 + Int64(byte - UInt8(ascii: "0"))
            }
        }
        guard value <= JSON.maximumInteger else { return nil }
        return negative ? -value : value
    }

    /// The integer within the range of `Int64`, or `nil` if the value is none; rooms of old versions may hold such.
    public var wideInt: Int64? {
        let node = node
        guard node.kind == .number, !node.flag, node.end - node.start <= 20 else { return nil }
        if let int { return int }
        return Int64(String(decoding: bytes, as: UTF8.self))
    }

    /// Whether the value and all it contains have only the numbers that canonical JSON knows: integers within ±(2^53−1).
    public var hasOnlyCanonicalNumbers: Bool {
        for index in index..<Swift.max(Int(node.next), index + 1)
        where document.nodes[index].kind == .number && JSON(document: document, index: index).int == nil {
            return false
        }
        return true
    }

    /// The same value in a document of its own, so that the text around it can go.
    public func detached() -> JSON {
        if index == 0 { return self }
        let text = bytes
        let shift = UInt32(text.startIndex)
        let first = UInt32(index)
        let end = Int(node.next)
        var nodes = JSONTape(capacity: end - index)
        for index in index..<end {
            var node = document.nodes[index]
            node.start -= shift
            node.end -= shift
            node.next -= first
            nodes.append(node)
        }
        return JSON(document: JSONDocument(bytes: Array(text), nodes: nodes), index: 0)
    }

    /// The number as a binary fraction, or `nil` if the value is none.
    public var double: Double? {
        guard kind == .number else { return nil }
        return Double(String(decoding: bytes, as: UTF8.self))
    }

    /// The number of an array's elements or an object's members; 0 for anything else.
    public var count: Int {
        switch kind {
        case .array: elements.reduce(0) { count, _ in count + 1 }
        case .object: members.reduce(0) { count, _ in count + 1 }
        default: 0
        }
    }

    /// The member of that name, or `nil` if the value is no object or has none. Names compare as bytes.
    public subscript(_ name: String) -> JSON? {
        let node = node
        guard node.kind == .object else { return nil }
        var index = index + 1
        while index < node.next {
            let key = document.nodes[index]
            if document.key(key, is: name) { return JSON(document: document, index: index + 1) }
            index = Int(document.nodes[index + 1].next)
        }
        return nil
    }

    /// The elements of an array; empty for anything else.
    public var elements: Elements {
        Elements(document: document, index: index + 1, end: kind == .array ? Int(node.next) : index + 1)
    }

    /// The members of an object in the order of the text; empty for anything else.
    public var members: Members {
        Members(document: document, index: index + 1, end: kind == .object ? Int(node.next) : index + 1)
    }

    /// An array's elements.
    public struct Elements: Sequence, IteratorProtocol, Sendable {
        let document: JSONDocument
        var index: Int
        let end: Int

        /// The next element.
        public mutating func next() -> JSON? {
            guard index < end else { return nil }
            defer { index = Int(document.nodes[index].next) }
            return JSON(document: document, index: index)
        }
    }

    /// An object's members.
    public struct Members: Sequence, IteratorProtocol, Sendable {
        let document: JSONDocument
        var index: Int
        let end: Int

        /// The next member: its name and its value.
        public mutating func next() -> (name: String, value: JSON)? {
            guard index < end else { return nil }
            let name = document.text(of: document.nodes[index])
            let value = JSON(document: document, index: index + 1)
            index = Int(document.nodes[index + 1].next)
            return (name, value)
        }
    }
}

extension JSONDocument {
    func text(of node: JSONNode) -> String {
        if node.flag { return String(decoding: JSONText.unescaped(bytes, node), as: UTF8.self) }
        return String(decoding: bytes[Int(node.start)..<Int(node.end)], as: UTF8.self)
    }

    /// Whether a key's text, which has no escapes, is `name`.
    func key(_ node: JSONNode, is name: StaticString) -> Bool {
        let start = Int(node.start)
        guard name.utf8CodeUnitCount == Int(node.end) - start else { return false }
        return name.withUTF8Buffer { buffer in
            for offset in 0..<buffer.count where buffer[offset] != bytes[start + offset] { return false }
            return true
        }
    }

    /// Whether a key's text is `name`, byte for byte.
    func key(_ node: JSONNode, is name: String) -> Bool {
        if node.flag { return text(of: node).utf8.elementsEqual(name.utf8) }
        let length = Int(node.end - node.start)
        guard name.utf8.count == length else { return false }
        let start = Int(node.start)
        let fast = name.utf8.withContiguousStorageIfAvailable { buffer in
            for offset in 0..<length where buffer[offset] != bytes[start + offset] { return false }
            return true
        }
        return fast ?? name.utf8.elementsEqual(bytes[start..<start + length])
    }
}
