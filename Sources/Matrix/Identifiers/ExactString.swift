/// A string that is equal to another only if their UTF-8 bytes are the same.
///
/// Swift's `String` compares by Unicode equivalence: "é" in its two encodings is one dictionary key. For identifiers and JSON keys
/// that would be a security hole, so they are built on this.
public struct ExactString: Hashable, Comparable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// The text.
    public let string: String

    /// Wraps a text.
    public init(_ string: String) { self.string = string }
    /// Wraps a text.
    public init(stringLiteral value: String) { string = value }

    /// The text.
    public var description: String { string }

    /// Whether the two are the same.
    public static func == (left: ExactString, right: ExactString) -> Bool {
        let fast = left.string.utf8.withContiguousStorageIfAvailable { leftBytes in
            right.string.utf8.withContiguousStorageIfAvailable { rightBytes in
                leftBytes.count == rightBytes.count && commonPrefix(leftBytes, rightBytes) == leftBytes.count
            }
        }
        if let fast = fast ?? nil { return fast }
        return left.string.utf8.elementsEqual(right.string.utf8)
    }

    /// Whether `left` comes first in the order of bytes.
    public static func < (left: ExactString, right: ExactString) -> Bool {
        compare(left, right) < 0
    }

    /// Feeds what makes two equal.
    public func hash(into hasher: inout Hasher) {
        let done: Void? = string.utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        if done == nil { for byte in string.utf8 { hasher.combine(byte) } }
        hasher.combine(UInt8(0xFF))
    }

    private static func compare(_ left: ExactString, _ right: ExactString) -> Int {
        let fast = left.string.utf8.withContiguousStorageIfAvailable { leftBytes in
            right.string.utf8.withContiguousStorageIfAvailable { rightBytes in
                let index = commonPrefix(leftBytes, rightBytes)
                if index < leftBytes.count, index < rightBytes.count {
                    return Int(leftBytes[index]) - Int(rightBytes[index])
                }
                return leftBytes.count - rightBytes.count
            }
        }
        if let fast = fast ?? nil { return fast }
        if left.string.utf8.elementsEqual(right.string.utf8) { return 0 }
        return left.string.utf8.lexicographicallyPrecedes(right.string.utf8) ? -1 : 1
    }

    /// How many bytes the two have in common at their beginning: eight at a time.
    @inline(__always)
    private static func commonPrefix(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Int {
        let count = Swift.min(left.count, right.count)
        guard let leftBase = left.baseAddress, let rightBase = right.baseAddress else { return 0 }
        var at = 0
        while at + 8 <= count {
            let difference =
                UInt64(littleEndian: UnsafeRawPointer(leftBase + at).loadUnaligned(as: UInt64.self))
                ^ UInt64(littleEndian: UnsafeRawPointer(rightBase + at).loadUnaligned(as: UInt64.self))
            if difference != 0 { return at + difference.trailingZeroBitCount / 8 }
            at += 8
        }
        while at < count, leftBase[at] == rightBase[at] { at += 1 }
        return at
    }
}
