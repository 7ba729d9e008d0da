/// A JSON value that can be built and edited: what requests answer and events are made of.
///
/// For reading what came from outside use ``JSON``, which costs a fraction.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// A number that is no integer within ±(2^53−1), as it was written.
    case number(ExactString)
    case string(ExactString)
    case array([JSONValue])
    case object(JSONObject)

    /// A string.
    public static func string(_ string: String) -> JSONValue { .string(ExactString(string)) }

    /// The member of that name of an object; setting `nil` removes it; setting on anything but an object replaces it by one.
    public subscript(_ name: String) -> JSONValue? {
        get {
            guard case .object(let object) = self else { return nil }
            return object[name]
        }
        set {
            var object = JSONObject()
            if case .object(let current) = self { object = current }
            object[name] = newValue
            self = .object(object)
        }
    }

    /// The string, or `nil` if the value is none.
    public var string: String? {
        guard case .string(let string) = self else { return nil }
        return string.string
    }

    /// The integer, or `nil` if the value is none.
    public var int: Int64? {
        guard case .integer(let integer) = self else { return nil }
        return integer
    }

    /// The object, or `nil` if the value is none.
    public var object: JSONObject? {
        guard case .object(let object) = self else { return nil }
        return object
    }

    /// The value as a view, by writing and parsing it.
    public var json: JSON {
        // What this type can hold is always well formed, except for numbers' texts, which come from the parser.
        let bytes = serialized()
        if let json = try? JSON(parsing: bytes, options: JSONParserOptions(maximumDepth: 10_000)) { return json }
        return JSON.emptyObject
    }

    /// The text, compact, members in their order.
    public func serialized() -> [UInt8] {
        var writer = JSONWriter()
        writer.write(self)
        return writer.bytes
    }
}

extension JSON {
    /// `{}`
    public static let emptyObject: JSON = {
        var nodes = JSONTape(capacity: 1)
        nodes.append(JSONNode(start: 0, end: 2, next: 1, kind: .object, flag: false, isCanonical: true))
        return JSON(document: JSONDocument(bytes: Array("{}".utf8), nodes: nodes), index: 0)
    }()

    /// The value as an editable tree.
    public var value: JSONValue {
        switch kind {
        case .null: return .null
        case .true: return .bool(true)
        case .false: return .bool(false)
        case .number:
            if let int { return .integer(int) }
            return .number(ExactString(String(decoding: bytes, as: UTF8.self)))
        case .string: return .string(string ?? "")
        case .array: return .array(elements.map(\.value))
        case .object: return .object(JSONObject(distinct: members))
        }
    }
}

/// An object's members, in order. Names compare as bytes.
public struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// A name and its value.
    public struct Member: Sendable, Hashable {
        /// The name.
        public var name: ExactString
        /// The value.
        public var value: JSONValue
    }

    /// The members in their order.
    public private(set) var members: [Member]

    /// An object of these members; of two of the same name the later one wins.
    public init(_ members: some Sequence<(String, JSONValue)> = []) {
        self.members = []
        for (name, value) in members { self.members.append(Member(name: ExactString(name), value: value)) }
        if self.members.count > 1 { removeDuplicates() }
    }

    /// An object of members whose names the parser knows to be distinct.
    init(distinct members: JSON.Members) {
        self.members = members.map { Member(name: ExactString($0.name), value: $0.value.value) }
    }

    /// An object of these members.
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }

    private mutating func removeDuplicates() {
        var seen: [ExactString: Int] = [:]
        var kept: [Member] = []
        for member in members {
            if let index = seen[member.name] {
                kept[index].value = member.value
            } else {
                seen[member.name] = kept.count
                kept.append(member)
            }
        }
        members = kept
    }

    /// Whether there is no member.
    public var isEmpty: Bool { members.isEmpty }

    /// The value of that name; setting `nil` removes it.
    public subscript(_ name: String) -> JSONValue? {
        get {
            let name = ExactString(name)
            return members.first { $0.name == name }?.value
        }
        set {
            let name = ExactString(name)
            let index = members.firstIndex { $0.name == name }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append(Member(name: name, value: value))
            case (nil, nil): break
            }
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// The value that a literal stands for.
    public init(stringLiteral value: String) { self = .string(value) }
    /// The value that a literal stands for.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// The value that a literal stands for.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// The value that a literal stands for.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// The value that a literal stands for.
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
}
