import NIOHTTP1

/// The header fields of a request or a response, in order. Names compare without regard to case.
public struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral, CustomStringConvertible {
    var fields: NIOHTTP1.HTTPHeaders

    /// No fields.
    public init() { fields = NIOHTTP1.HTTPHeaders() }
    /// These fields.
    public init(dictionaryLiteral elements: (String, String)...) { fields = NIOHTTP1.HTTPHeaders(elements) }
    /// These fields.
    public init(_ elements: [(String, String)]) { fields = NIOHTTP1.HTTPHeaders(elements) }
    init(_ fields: NIOHTTP1.HTTPHeaders) { self.fields = fields }

    /// The first value of that name. Setting replaces all of that name; setting `nil` removes them.
    public subscript(_ name: String) -> String? {
        get { fields.first(name: name) }
        set {
            if let newValue { fields.replaceOrAdd(name: name, value: newValue) } else { fields.remove(name: name) }
        }
    }

    /// Every value of that name, in order.
    public func all(_ name: String) -> [String] { fields[name] }

    /// Whether there is a field of that name.
    public func contains(_ name: String) -> Bool { fields.contains(name: name) }

    /// Adds a field, beside others of the same name.
    public mutating func add(_ name: String, _ value: String) { fields.add(name: name, value: value) }

    /// The number of fields.
    public var count: Int { fields.count }
    /// Whether there is no field.
    public var isEmpty: Bool { fields.isEmpty }

    /// Calls `body` with each field in order.
    public func forEach(_ body: (_ name: String, _ value: String) throws -> Void) rethrows {
        for (name, value) in fields { try body(name, value) }
    }

    /// The names only: values may hold tokens.
    public var description: String { fields.map(\.name).joined(separator: ", ") }
}
