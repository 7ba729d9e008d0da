/// One value (or key) on the tape. An object's members follow it as key, value, key, value …; an array's elements likewise.
struct JSONNode: BitwiseCopyable, Sendable {
    /// For strings the first byte after the quote; otherwise the first byte of the value.
    var start: UInt32
    /// For strings the closing quote; otherwise the first byte after the value.
    var end: UInt32
    /// The index of the first node after this value and all it contains.
    var next: UInt32
    var kind: JSONKind
    /// For strings: there is a backslash in it. For numbers: it has a fraction or an exponent. For objects: the keys do not stand in
    /// their canonical order, or some have escapes.
    var flag: Bool
    /// The value's text, all it contains included, is canonical as it is.
    var isCanonical: Bool
}

/// The nodes of a document in one allocation.
///
/// Indices come from the tape itself, never from outside, so that they are not checked in release builds.
struct JSONTape: ~Copyable, @unchecked Sendable {
    private(set) var nodes: UnsafeMutablePointer<JSONNode>
    private(set) var count = 0
    private(set) var capacity: Int

    init(capacity: Int) {
        self.capacity = Swift.max(capacity, 4)
        nodes = .allocate(capacity: self.capacity)
    }

    deinit { nodes.deallocate() }

    subscript(_ index: Int) -> JSONNode {
        @inline(__always) get {
            assert(index >= 0 && index < count)
            return nodes[index]
        }
        @inline(__always) nonmutating set {
            assert(index >= 0 && index < count)
            nodes[index] = newValue
        }
    }

    @inline(__always)
    mutating func append(_ node: JSONNode) {
        if count == capacity { resize(to: capacity * 2) }
        (nodes + count).initialize(to: node)
        count += 1
    }

    /// Gives back what is not used, where that is worth a copy.
    mutating func trim() {
        if capacity - count > count / 4 + 2 { resize(to: Swift.max(count, 1)) }
    }

    @inline(never)
    private mutating func resize(to capacity: Int) {
        let larger = UnsafeMutablePointer<JSONNode>.allocate(capacity: capacity)
        larger.moveInitialize(from: nodes, count: count)
        nodes.deallocate()
        nodes = larger
        self.capacity = capacity
    }
}

/// The kinds of JSON value.
public enum JSONKind: UInt8, BitwiseCopyable, Sendable {
    case null, `false`, `true`, number, string, array, object
}
