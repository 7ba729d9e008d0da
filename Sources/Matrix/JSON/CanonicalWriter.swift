/// Writes the canonical text of parsed values whose received text is not canonical.
///
/// Whatever part of the text is canonical is copied in one piece. The output is never longer than the input but for numbers with an
/// exponent, so that it is allocated once.
struct CanonicalWriter: ~Copyable {
    private let document: JSONDocument
    private let input: UnsafePointer<UInt8>
    private let output: UnsafeMutablePointer<UInt8>
    private let capacity: Int
    private var count = 0
    /// The keys of the objects being written, one run after the other.
    private var keys: [Key] = []

    private struct Key {
        /// The first eight bytes, in an order that compares like the text.
        var prefix: UInt64
        var index: Int
    }

    static func write(_ json: JSON, omitting omitted: [String]) -> [UInt8] {
        let document = json.document
        let node = json.node
        var exponents = 0
        for index in json.index..<Swift.max(Int(node.next), json.index + 1)
        where document.nodes[index].kind == .number && document.nodes[index].flag {
            exponents += 1
        }
        let capacity = json.bytes.count + exponents * CanonicalNumber.longestGrowth
        return document.bytes.withUnsafeBufferPointer { input in
            [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
                guard let input = input.baseAddress, let start = output.baseAddress else { return }
                var writer = CanonicalWriter(document: document, input: input, output: start, capacity: capacity)
                if node.kind == .object {
                    writer.writeObject(json.index, omitting: omitted)
                } else {
                    writer.write(json.index)
                }
                count = writer.count
            }
        }
    }

    private init(
        document: JSONDocument, input: UnsafePointer<UInt8>, output: UnsafeMutablePointer<UInt8>, capacity: Int
    ) {
        self.document = document
        self.input = input
        self.output = output
        self.capacity = capacity
    }

    private mutating func write(_ index: Int) {
        let node = document.nodes[index]
        if node.isCanonical {
            let quote = node.kind == .string ? 1 : 0
            return copy(Int(node.start) - quote, Int(node.end) + quote)
        }
        switch node.kind {
        case .null, .false, .true: copy(Int(node.start), Int(node.end))
        case .number: append(CanonicalNumber.text(of: Array(document.bytes[Int(node.start)..<Int(node.end)])))
        case .string: writeString(node)
        case .array:
            append(UInt8(ascii: "["))
            var element = index + 1
            while element < node.next {
                if element > index + 1 { append(UInt8(ascii: ",")) }
                write(element)
                element = Int(document.nodes[element].next)
            }
            append(UInt8(ascii: "]"))
        case .object: writeObject(index, omitting: [])
        }
    }

    private mutating func writeObject(_ index: Int, omitting omitted: [String]) {
        let node = document.nodes[index]
        append(UInt8(ascii: "{"))
        var isFirst = true
        if !node.flag {
            var key = index + 1
            while key < node.next {
                writeMember(key, omitting: omitted, &isFirst)
                key = Int(document.nodes[key + 1].next)
            }
        } else {
            let run = keys.count
            sortKeys(of: index, node)
            for position in run..<keys.count { writeMember(keys[position].index, omitting: omitted, &isFirst) }
            keys.removeLast(keys.count - run)
        }
        append(UInt8(ascii: "}"))
    }

    @inline(__always)
    private mutating func writeMember(_ index: Int, omitting omitted: [String], _ isFirst: inout Bool) {
        let key = document.nodes[index]
        if !omitted.isEmpty, omitted.contains(where: { document.key(key, is: $0) }) { return }
        if !isFirst { append(UInt8(ascii: ",")) }
        isFirst = false
        let value = document.nodes[index + 1]
        let quote: UInt32 = value.kind == .string ? 1 : 0
        if key.isCanonical, value.isCanonical, value.start - quote == key.end + 2 {
            // Key, colon and value stand side by side.
            return copy(Int(key.start) - 1, Int(value.end + quote))
        }
        writeString(key)
        append(UInt8(ascii: ":"))
        write(index + 1)
    }

    private mutating func writeString(_ node: JSONNode) {
        if node.isCanonical { return copy(Int(node.start) - 1, Int(node.end) + 1) }
        var text: [UInt8] = []
        JSONText.appendQuoted(JSONText.unescaped(document.bytes, node), to: &text)
        append(text)
    }

    // MARK: Order

    private mutating func sortKeys(of object: Int, _ node: JSONNode) {
        let run = keys.count
        var index = object + 1
        var hasEscapes = false
        while index < node.next {
            let key = document.nodes[index]
            if key.flag { hasEscapes = true }
            keys.append(Key(prefix: prefix(key), index: index))
            index = Int(document.nodes[index + 1].next)
        }
        if hasEscapes {
            let texts = Dictionary(
                uniqueKeysWithValues: keys[run...].map {
                    ($0.index, JSONText.unescaped(document.bytes, document.nodes[$0.index]))
                }
            )
            keys[run...].sort { JSONText.precedes(texts[$0.index] ?? [], texts[$1.index] ?? []) }
        } else if keys.count - run <= 32 {
            for upper in (run + 1)..<Swift.max(keys.count, run + 1) {
                let key = keys[upper]
                var lower = upper
                while lower > run, precedes(key, keys[lower - 1]) {
                    keys[lower] = keys[lower - 1]
                    lower -= 1
                }
                keys[lower] = key
            }
        } else {
            let document = document
            let input = input
            keys[run...].sort { Self.precedes($0, $1, document, input) }
        }
    }

    @inline(__always)
    private func precedes(_ left: Key, _ right: Key) -> Bool { Self.precedes(left, right, document, input) }

    @inline(__always)
    private static func precedes(
        _ left: Key, _ right: Key, _ document: JSONDocument, _ input: UnsafePointer<UInt8>
    ) -> Bool {
        if left.prefix != right.prefix { return left.prefix < right.prefix }
        return JSONKeys.ascend(document.nodes[left.index], document.nodes[right.index], input)
    }

    @inline(__always)
    private func prefix(_ key: JSONNode) -> UInt64 {
        let length = Int(key.end - key.start)
        let text = UnsafeRawPointer(input + Int(key.start))
        // Eight bytes are there to read if the text goes on for that long; what does not belong to the key is shifted out.
        if Int(key.start) + 8 <= document.bytes.count {
            let word = UInt64(bigEndian: text.loadUnaligned(as: UInt64.self))
            return length >= 8 ? word : length == 0 ? 0 : word & ~(UInt64.max >> UInt64(length * 8))
        }
        var word: UInt64 = 0
        for offset in 0..<Swift.min(length, 8) {
            word |= UInt64(input[Int(key.start) + offset]) << UInt64(56 - offset * 8)
        }
        return word
    }

    // MARK: Output

    @inline(__always)
    private mutating func copy(_ start: Int, _ end: Int) {
        assert(count + end - start <= capacity)
        (output + count).update(from: input + start, count: end - start)
        count += end - start
    }

    @inline(__always)
    private mutating func append(_ byte: UInt8) {
        assert(count < capacity)
        output[count] = byte
        count += 1
    }

    private mutating func append(_ text: [UInt8]) {
        assert(count + text.count <= capacity)
        text.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            (output + count).update(from: base, count: buffer.count)
        }
        count += text.count
    }
}
