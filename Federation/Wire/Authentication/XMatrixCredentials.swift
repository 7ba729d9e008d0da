import Matrix

/// What one `Authorization` field of scheme `X-Matrix` says: who claims to make a request, and the signature that proves it.
///
/// [Request authentication](https://spec.matrix.org/v1.19/server-server-api/#request-authentication).
public struct XMatrixCredentials: Sendable, Hashable {
    /// The server that claims to make the request.
    public let origin: ServerName
    /// The server that the request is for; servers from before version 1.3 of the specification do not say.
    public let destination: ServerName?
    /// The key that has signed.
    public let keyID: SigningKeyID
    /// The signature: 64 bytes.
    public let signature: [UInt8]

    /// The longest field that is read, in bytes: two server names, a key and a signature need about 700.
    static let maximumBytes = 4_096

    /// Credentials.
    public init(origin: ServerName, destination: ServerName?, keyID: SigningKeyID, signature: [UInt8]) {
        self.origin = origin
        self.destination = destination
        self.keyID = keyID
        self.signature = signature
    }

    /// Whether the field is of this scheme, whether or not what follows can be read.
    public static func isPresent(in field: String) -> Bool { parameters(of: field) != nil }

    /// Reads a field.
    ///
    /// - Throws: ``XMatrixError``, which says what is wrong.
    public init(parsing field: String) throws(XMatrixError) {
        guard field.utf8.count <= Self.maximumBytes else { throw .tooLong }
        guard let rest = Self.parameters(of: field) else { throw .otherScheme }
        var reader = AuthorizationParameterReader(rest)
        var parameters: [(name: String, value: String)] = []
        while let parameter = try reader.next() {
            guard !parameters.contains(where: { $0.name == parameter.name }) else { throw .duplicate(parameter.name) }
            parameters.append(parameter)
        }
        func value(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
        func identifier<I: Identifier>(_ name: String) throws(XMatrixError) -> I? {
            guard let text = value(name) else { return nil }
            guard let identifier = I(text) else { throw .invalid(name) }
            return identifier
        }
        guard let origin: ServerName = try identifier("origin") else { throw .missing("origin") }
        guard let keyID: SigningKeyID = try identifier("key") else { throw .missing("key") }
        // The list of parameters in the specification says `signature`; its examples, and every server, say `sig`.
        guard let text = value("sig") ?? value("signature") else { throw .missing("sig") }
        guard let signature = Base64.decode(text), signature.count == VerifyKey.signatureLength else {
            throw .invalid("sig")
        }
        self.init(origin: origin, destination: try identifier("destination"), keyID: keyID, signature: signature)
    }

    /// The field's value, in the form that the oldest servers read.
    public var field: String {
        // None of the values can hold a quote or a backslash: names of keys are checked when they are made.
        var field = "X-Matrix origin=\"\(origin)\","
        if let destination { field += "destination=\"\(destination)\"," }
        return field + "key=\"\(keyID)\",sig=\"\(Base64.encode(signature))\""
    }

    /// What follows the scheme, or `nil` if the scheme is another.
    private static func parameters(of field: String) -> Substring.UTF8View? {
        let bytes = Substring(field).utf8
        let scheme = bytes.prefix { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
        guard scheme.elementsEqual("x-matrix".utf8, by: { AuthorizationParameterReader.lowercased($0) == $1 }) else {
            return nil
        }
        return bytes[scheme.endIndex...]
    }
}

/// Why the credentials of a request cannot be read.
public enum XMatrixError: Error, Hashable, Sendable {
    /// The field is longer than any that is needed.
    case tooLong
    /// The scheme is not `X-Matrix`.
    case otherScheme
    /// A parameter that must be there is not.
    case missing(String)
    /// A parameter is there twice.
    case duplicate(String)
    /// A parameter is not what its name says.
    case invalid(String)
    /// What follows the scheme is no list of parameters.
    case malformed
}

/// Reads the parameters of an authentication scheme one after the other.
///
/// [RFC 9110, section 11.2](https://www.rfc-editor.org/rfc/rfc9110#section-11.2); values that are not quoted may hold colons.
struct AuthorizationParameterReader {
    private var rest: Substring.UTF8View

    init(_ text: Substring.UTF8View) { rest = text }

    /// The next parameter, its name in lower case, or `nil` at the end.
    mutating func next() throws(XMatrixError) -> (name: String, value: String)? {
        // Empty elements of the list are to be passed over.
        skipSpace()
        while rest.first == UInt8(ascii: ",") {
            rest.removeFirst()
            skipSpace()
        }
        guard !rest.isEmpty else { return nil }
        let name = takeToken(allowsColon: false)
        guard !name.isEmpty else { throw .malformed }
        skipSpace()
        guard rest.popFirst() == UInt8(ascii: "=") else { throw .malformed }
        skipSpace()
        let value: [UInt8]
        if rest.first == UInt8(ascii: "\"") {
            rest.removeFirst()
            value = try takeQuoted()
        } else {
            value = takeToken(allowsColon: true)
            guard !value.isEmpty else { throw .malformed }
        }
        skipSpace()
        guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { throw .malformed }
        guard let text = String(validating: value, as: UTF8.self) else { throw .malformed }
        return (String(decoding: name.map(Self.lowercased), as: UTF8.self), text)
    }

    private mutating func skipSpace() {
        rest = rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    }

    private mutating func takeToken(allowsColon: Bool) -> [UInt8] {
        let token = rest.prefix { Self.isTokenCharacter($0) || (allowsColon && $0 == UInt8(ascii: ":")) }
        rest = rest[token.endIndex...]
        return Array(token)
    }

    /// The inside of a quoted string, unescaped; the opening quote is read already.
    private mutating func takeQuoted() throws(XMatrixError) -> [UInt8] {
        var value: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return value
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst(), !Self.isControl(escaped) else { throw .malformed }
                value.append(escaped)
            case _ where Self.isControl(byte): throw .malformed
            default: value.append(byte)
            }
        }
        throw .malformed
    }

    static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    private static func isControl(_ byte: UInt8) -> Bool { (byte < 0x20 && byte != 0x09) || byte == 0x7F }

    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
