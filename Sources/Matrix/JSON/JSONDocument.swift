/// A parsed JSON text: the bytes as received, and a flat tape that says where each value stands in them.
///
/// Nothing is decoded until it is asked for; a value's text can be spliced out unchanged. Use ``JSON`` to look into it.
public final class JSONDocument: Sendable {
    /// The whole text.
    public let bytes: [UInt8]
    let nodes: [JSONNode]

    init(bytes: [UInt8], nodes: [JSONNode]) {
        self.bytes = bytes
        self.nodes = nodes
    }

    /// The bytes of memory that the document takes, for caches that share a budget.
    public var memoryFootprint: Int { bytes.capacity + nodes.capacity * MemoryLayout<JSONNode>.stride + 64 }
}

/// One value (or key) on the tape. An object's members follow it as key, value, key, value …; an array's elements likewise.
struct JSONNode: Sendable {
    /// For strings the first byte after the quote; otherwise the first byte of the value.
    var start: UInt32
    /// For strings the closing quote; otherwise the first byte after the value.
    var end: UInt32
    /// The index of the first node after this value and all it contains.
    var next: UInt32
    var kind: JSONKind
    /// For strings: there is a backslash in it. For numbers: it has a fraction or an exponent.
    var flag: Bool
}

/// The kinds of JSON value.
public enum JSONKind: UInt8, Sendable {
    case null, `false`, `true`, number, string, array, object
}
