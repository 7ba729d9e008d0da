import Matrix

/// A request as endpoints read it. Every accessor throws the error that clients are to be told.
public final class RequestInput {
    /// The request itself.
    public let request: HTTPRequest
    private var parsedBody: JSONFields?

    /// The input of that request.
    ///
    /// - Parameter parsedBody: The body, if it has been parsed already: large ones are not to be parsed twice.
    public init(_ request: HTTPRequest, parsedBody: JSON? = nil) {
        self.request = request
        if let parsedBody, parsedBody.isObject { self.parsedBody = JSONFields(parsedBody) }
    }

    // MARK: Path

    /// A parameter of the path.
    ///
    /// - Throws: 400 `M_INVALID_PARAM` if the route has none of that name.
    public func path(_ name: String) throws -> String {
        guard let text = request.pathParameters[name] else {
            throw MatrixError.invalidParameter("The path has no \(name)")
        }
        return text
    }

    /// A parameter of the path that is an identifier.
    ///
    /// - Throws: 400 `M_INVALID_PARAM` if it breaks the identifier's grammar.
    public func path<ID: Identifier>(_ name: String) throws -> ID {
        guard let identifier = ID(try path(name) as String) else {
            throw MatrixError.invalidParameter("\(name) in the path is not a valid identifier")
        }
        return identifier
    }

    /// A parameter of the path that is of some form.
    ///
    /// - Throws: 400 `M_INVALID_PARAM` if it is not.
    public func path<Value>(_ name: String, as form: QueryForm<Value>) throws -> Value {
        guard let value = form.read(try path(name) as String) else {
            throw MatrixError.invalidParameter("\(name) in the path must be \(form.name)")
        }
        return value
    }

    // MARK: Query

    /// An item of the query, or `nil` if there is none.
    ///
    /// - Throws: 400 `M_INVALID_PARAM` if it is not of that form.
    public func query<Value>(_ name: String, as form: QueryForm<Value>) throws -> Value? {
        guard let text = request.query[name] else { return nil }
        guard let value = form.read(text) else {
            throw MatrixError.invalidParameter("\(name) in the query must be \(form.name)")
        }
        return value
    }

    /// An item of the query that must be there.
    ///
    /// - Throws: 400 `M_MISSING_PARAM` if it is not, `M_INVALID_PARAM` if it is not of that form.
    public func requiredQuery<Value>(_ name: String, as form: QueryForm<Value>) throws -> Value {
        guard let value = try query(name, as: form) else {
            throw MatrixError.missingParameter("\(name) is missing in the query")
        }
        return value
    }

    /// All items of that name in the query.
    ///
    /// - Throws: 400 `M_INVALID_PARAM` if one of them is not of that form.
    public func queries<Value>(_ name: String, as form: QueryForm<Value>) throws -> [Value] {
        try request.query.all(name).map { text in
            guard let value = form.read(text) else {
                throw MatrixError.invalidParameter("\(name) in the query must be \(form.name)")
            }
            return value
        }
    }

    // MARK: Body

    /// The body, which must be a JSON object.
    ///
    /// - Throws: 400 `M_NOT_JSON`, or `M_BAD_JSON` for JSON that is no object.
    public var body: JSONFields {
        get throws {
            try body(options: .lenient)
        }
    }

    /// The body, which must be a JSON object, read with other limits than those for clients' bodies.
    ///
    /// - Throws: 400 `M_NOT_JSON`, or `M_BAD_JSON` for JSON that is no object.
    public func body(options: JSONParserOptions) throws -> JSONFields {
        if let parsedBody { return parsedBody }
        let fields = try parse(bytes, options)
        parsedBody = fields
        return fields
    }

    /// The body, which may also be empty: for endpoints none of whose fields must be there.
    ///
    /// - Throws: 400 `M_NOT_JSON`, or `M_BAD_JSON` for JSON that is no object.
    public var bodyOrEmpty: JSONFields {
        get throws { bytes.isEmpty ? JSONFields(JSON.emptyObject) : try body }
    }

    /// The body's bytes; empty for an endpoint that takes a stream.
    public var bytes: [UInt8] {
        if case .bytes(let bytes) = request.body { return bytes }
        return []
    }

    private func parse(_ bytes: [UInt8], _ options: JSONParserOptions) throws -> JSONFields {
        let json: JSON
        do { json = try JSON(parsing: bytes, options: options) } catch {
            throw MatrixError.notJSON(bytes.isEmpty ? "The body is empty" : "The body is not valid JSON")
        }
        guard json.isObject else { throw MatrixError.badJSON("The body must be a JSON object") }
        return JSONFields(json)
    }
}

/// The form of an item of a query or of a path's parameter.
public struct QueryForm<Value>: Sendable {
    /// What the value must be, as the end of a sentence.
    let name: String
    let read: @Sendable (String) -> Value?

    /// A form.
    ///
    /// - Parameters:
    ///   - name: What the value must be, as the end of "x must be …".
    ///   - read: The value that a text is, or `nil`.
    public init(_ name: String, read: @escaping @Sendable (String) -> Value?) {
        self.name = name
        self.read = read
    }
}

extension QueryForm where Value == String {
    /// Any text.
    public static var string: Self { Self("a string") { $0 } }
}

extension QueryForm where Value == Int {
    /// An integer.
    public static var int: Self { Self("an integer") { Int($0) } }
    /// An integer of at least zero.
    public static var count: Self { Self("a non-negative integer") { Int($0).flatMap { $0 < 0 ? nil : $0 } } }
}

extension QueryForm where Value == Int64 {
    /// A point in time or a span, in milliseconds.
    public static var milliseconds: Self { Self("an integer") { Int64($0) } }
}

extension QueryForm where Value == Bool {
    /// `true` or `false`.
    public static var bool: Self {
        Self("true or false") { $0 == "true" ? true : $0 == "false" ? false : nil }
    }
}

extension QueryForm where Value == JSONFields {
    /// A JSON object.
    public static var object: Self {
        Self("a JSON object") { text in
            guard let json = try? JSON(parsing: text), json.isObject else { return nil }
            return JSONFields(json)
        }
    }
}

extension QueryForm where Value: Identifier {
    /// An identifier.
    public static var identifier: Self { Self("a valid identifier") { Value($0) } }
}

extension QueryForm where Value: RawRepresentable & Sendable, Value.RawValue == String {
    /// One of an enumeration's values.
    public static var choice: Self { Self("one of the values that the specification lists") { Value(rawValue: $0) } }
}
