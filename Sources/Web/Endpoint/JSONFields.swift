import Matrix

/// A JSON object as endpoints read it. Every accessor throws the error that clients are to be told.
public struct JSONFields: Sendable {
    /// The object.
    public let json: JSON

    /// The fields of an object; of anything else, none.
    public init(_ json: JSON) { self.json = json }

    /// A field that must be there.
    ///
    /// - Throws: 400 `M_MISSING_PARAM` if it is not, `M_BAD_JSON` if it is not of that form.
    public func required<Value>(_ name: String, as form: JSONForm<Value>) throws -> Value {
        guard let field = json[name] else { throw MatrixError.missingParameter("\(name) is missing") }
        return try Self.read(field, name, form)
    }

    /// A field that may be missing or `null`.
    ///
    /// - Throws: 400 `M_BAD_JSON` if it is there and not of that form.
    public func optional<Value>(_ name: String, as form: JSONForm<Value>) throws -> Value? {
        guard let field = json[name], !field.isNull else { return nil }
        return try Self.read(field, name, form)
    }

    /// A field, or what it counts as if it is missing or `null`.
    ///
    /// - Throws: 400 `M_BAD_JSON` if it is there and not of that form.
    public func optional<Value>(_ name: String, as form: JSONForm<Value>, default value: Value) throws -> Value {
        try optional(name, as: form) ?? value
    }

    /// Whether the object has a field of that name, even if it is `null`.
    public func contains(_ name: String) -> Bool { json[name] != nil }

    private static func read<Value>(_ field: JSON, _ name: String, _ form: JSONForm<Value>) throws -> Value {
        guard let value = form.read(field) else { throw MatrixError.badJSON("\(name) must be \(form.name)") }
        return value
    }
}

/// The form of a JSON value.
public struct JSONForm<Value>: Sendable {
    /// What the value must be, as the end of a sentence.
    let name: String
    let read: @Sendable (JSON) -> Value?

    /// A form.
    ///
    /// - Parameters:
    ///   - name: What the value must be, as the end of "x must be …".
    ///   - read: The value that a JSON value is, or `nil`.
    public init(_ name: String, read: @escaping @Sendable (JSON) -> Value?) {
        self.name = name
        self.read = read
    }
}

extension JSONForm where Value == String {
    /// A string.
    public static var string: Self { Self("a string") { $0.string } }
}

extension JSONForm where Value == Bool {
    /// A boolean.
    public static var bool: Self { Self("a boolean") { $0.bool } }
}

extension JSONForm where Value == Int64 {
    /// An integer within ±(2^53−1).
    public static var int: Self { Self("an integer") { $0.int } }
}

extension JSONForm where Value == JSONFields {
    /// An object.
    public static var object: Self { Self("an object") { $0.isObject ? JSONFields($0) : nil } }
}

extension JSONForm where Value == JSON {
    /// Any value.
    public static var any: Self { Self("a value") { $0 } }
    /// An object, to be kept as it is.
    public static var rawObject: Self { Self("an object") { $0.isObject ? $0 : nil } }
    /// An array, to be kept as it is.
    public static var rawArray: Self { Self("an array") { $0.isArray ? $0 : nil } }
}

extension JSONForm where Value: Identifier {
    /// An identifier.
    public static var identifier: Self { Self("a valid identifier") { $0.string.flatMap { Value($0) } } }
}

extension JSONForm where Value: RawRepresentable & Sendable, Value.RawValue == String {
    /// One of an enumeration's values.
    public static var choice: Self {
        Self("one of the values that the specification lists") { $0.string.flatMap { Value(rawValue: $0) } }
    }
}

extension JSONForm {
    /// An array all of whose elements are of some form.
    public static func array<Element>(of element: JSONForm<Element>) -> Self where Value == [Element] {
        Self("an array, each element \(element.name)") { json in
            guard json.isArray else { return nil }
            var values: [Element] = []
            for item in json.elements {
                guard let value = element.read(item) else { return nil }
                values.append(value)
            }
            return values
        }
    }

    /// An object all of whose values are of some form, as pairs in their order.
    public static func map<Element>(of element: JSONForm<Element>) -> Self
    where Value == [(name: String, value: Element)] {
        Self("an object, each value \(element.name)") { json in
            guard json.isObject else { return nil }
            var values: [(name: String, value: Element)] = []
            for (name, item) in json.members {
                guard let value = element.read(item) else { return nil }
                values.append((name, value))
            }
            return values
        }
    }
}
