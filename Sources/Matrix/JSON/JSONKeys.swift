/// The order of an object's keys, and whether one occurs twice.
enum JSONKeys {
    /// Whether `left` stands before `right` in the order of bytes. Neither has escapes.
    @inline(__always)
    static func ascend(_ left: JSONNode, _ right: JSONNode, _ base: UnsafePointer<UInt8>) -> Bool {
        let leftLength = Int(left.end &- left.start)
        let rightLength = Int(right.end &- right.start)
        let leftText = base + Int(left.start)
        let rightText = base + Int(right.start)
        let common = Swift.min(leftLength, rightLength)
        var offset = 0
        while offset < common {
            if leftText[offset] != rightText[offset] { return leftText[offset] < rightText[offset] }
            offset += 1
        }
        return leftLength < rightLength
    }

    /// The offset of a key that another one of the same object equals, after unescaping; `nil` if there is none.
    ///
    /// The object is the last one on the tape.
    @inline(never)
    static func duplicate(among nodes: borrowing JSONTape, after container: Int, _ base: UnsafePointer<UInt8>) -> Int? {
        // A set of 64 bits tells most keys apart; a key whose bit is taken is compared with those before it.
        var seen: UInt64 = 0
        var comparisons = 0
        var index = container + 1
        let end = nodes.count
        while index < end {
            let key = nodes[index]
            if key.flag { return duplicateBySorting(nodes, container, base) }
            let bit = UInt64(1) << (fingerprint(key, base) & 63)
            if seen & bit != 0 {
                var earlier = container + 1
                while earlier < index {
                    if same(nodes[earlier], key, base) { return Int(key.start) }
                    comparisons += 1
                    earlier = Int(nodes[earlier + 1].next)
                }
                // With many keys this would become quadratic.
                if comparisons > 512 { return duplicateBySorting(nodes, container, base) }
            }
            seen |= bit
            index = Int(nodes[index + 1].next)
        }
        return nil
    }

    /// Sorting bounds the work on objects with many keys; escaped keys are compared by what they stand for.
    private static func duplicateBySorting(
        _ nodes: borrowing JSONTape, _ container: Int, _ base: UnsafePointer<UInt8>
    ) -> Int? {
        var keys: [(text: [UInt8], offset: Int)] = []
        var index = container + 1
        while index < nodes.count {
            let key = nodes[index]
            let inside = UnsafeBufferPointer(start: base + Int(key.start), count: Int(key.end - key.start))
            keys.append((key.flag ? JSONText.unescaped(inside) : Array(inside), Int(key.start)))
            index = Int(nodes[index + 1].next)
        }
        keys.sort { JSONText.precedes($0.text, $1.text) }
        for index in keys.indices.dropFirst() where keys[index].text == keys[index - 1].text {
            return Swift.max(keys[index].offset, keys[index - 1].offset)
        }
        return nil
    }

    @inline(__always)
    private static func fingerprint(_ key: JSONNode, _ base: UnsafePointer<UInt8>) -> UInt32 {
        let length = key.end &- key.start
        guard length > 0 else { return 0 }
        let first = UInt32(base[Int(key.start)])
        let middle = UInt32(base[Int(key.start + length / 2)])
        let last = UInt32(base[Int(key.end - 1)])
        return (length &* 0x9E37_79B1 &+ first &* 0x85EB_CA6B &+ middle &* 0xC2B2_AE35 &+ last &* 0x27D4_EB2F) >> 26
    }

    @inline(__always)
    private static func same(_ left: JSONNode, _ right: JSONNode, _ base: UnsafePointer<UInt8>) -> Bool {
        let length = Int(right.end &- right.start)
        guard Int(left.end &- left.start) == length else { return false }
        let leftText = base + Int(left.start)
        let rightText = base + Int(right.start)
        for offset in 0..<length where leftText[offset] != rightText[offset] { return false }
        return true
    }
}
