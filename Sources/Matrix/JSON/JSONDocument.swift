/// A parsed JSON text: the bytes as received, and a flat tape that says where each value stands in them.
///
/// Nothing is decoded until it is asked for; a value's text can be spliced out unchanged. Use ``JSON`` to look into it.
public final class JSONDocument: Sendable {
    /// The whole text.
    public let bytes: [UInt8]
    let nodes: JSONTape

    init(bytes: [UInt8], nodes: consuming JSONTape) {
        self.bytes = bytes
        self.nodes = nodes
    }

    /// The bytes of memory that the document takes, for caches that share a budget.
    public var memoryFootprint: Int { bytes.capacity + nodes.capacity * MemoryLayout<JSONNode>.stride + 96 }
}
