import Matrix

/// Something that one server asks another: how it is written, how large an answer may be, and how the answer is read.
///
/// Answers come from whoever runs the other server: each request bounds their size, and what it reads is checked for its form only.
public protocol FederationRequest: Sendable {
    /// What is made of an answer.
    associatedtype Response: Sendable

    /// The method.
    var method: FederationMethod { get }
    /// Path and query.
    var target: RequestTarget { get }
    /// The body: the text of a JSON object, or `nil`.
    var body: [UInt8]? { get }
    /// Whether the request carries this server's signature.
    var isSigned: Bool { get }
    /// The largest answer that is read, in bytes.
    var responseLimitBytes: Int { get }
    /// How long to wait for the whole answer.
    var timeoutMilliseconds: Int64 { get }

    /// Reads an answer of status 200.
    ///
    /// - Throws: ``MalformedAnswer`` if it is not of the form that the specification gives.
    func decode(_ json: JSON) throws(MalformedAnswer) -> Response
}

extension FederationRequest {
    /// None.
    public var body: [UInt8]? { nil }
    /// True.
    public var isSigned: Bool { true }
    /// One mebibyte.
    public var responseLimitBytes: Int { 1 << 20 }
    /// Thirty seconds.
    public var timeoutMilliseconds: Int64 { 30_000 }
}

/// The methods of the server-server API.
public enum FederationMethod: String, Sendable {
    /// Asks.
    case get = "GET"
    /// Asks with a body.
    case post = "POST"
    /// Hands over.
    case put = "PUT"
}

/// An answer is not of the form that the specification gives.
public struct MalformedAnswer: Error, Sendable, Hashable {
    /// What is wrong with it, as the end of "the answer".
    public let message: String

    /// An answer.
    public init(_ message: String) { self.message = message }
}

/// Path and query of a request, escaped: exactly the bytes that are sent and signed.
public struct RequestTarget: Sendable, Hashable, CustomStringConvertible {
    private var text: String
    private var hasQuery = false

    /// The text.
    public var description: String { text }

    /// A target.
    ///
    /// - Parameters:
    ///   - prefix: The beginning of the path, which needs no escaping.
    ///   - segments: The segments that follow, each escaped as a whole.
    public init(_ prefix: String, _ segments: String...) {
        text = prefix
        for segment in segments { text += "/" + Self.escape(segment) }
    }

    /// A target below `/_matrix/federation/v1`.
    static func v1(_ operation: String, _ segments: String...) -> RequestTarget {
        segments.reduce(into: RequestTarget("/_matrix/federation/v1/\(operation)")) { $0.append($1) }
    }

    /// A target below `/_matrix/federation/v2`.
    static func v2(_ operation: String, _ segments: String...) -> RequestTarget {
        segments.reduce(into: RequestTarget("/_matrix/federation/v2/\(operation)")) { $0.append($1) }
    }

    private mutating func append(_ segment: String) { text += "/" + Self.escape(segment) }

    /// The target with one more item in its query, if there is a value.
    func with(_ name: String, _ value: String?) -> RequestTarget {
        guard let value else { return self }
        var copy = self
        copy.text += (hasQuery ? "&" : "?") + name + "=" + Self.escape(value)
        copy.hasQuery = true
        return copy
    }

    /// The target with an item for each value.
    func with(_ name: String, _ values: [String]) -> RequestTarget {
        values.reduce(self) { $0.with(name, $1) }
    }

    /// Everything but unreserved characters escaped, so that nothing on the way has a reason to write it differently.
    static func escape(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var escaped: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                escaped.append(byte)
            default:
                escaped += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: escaped, as: UTF8.self)
    }
}
