/// [Canonical JSON](https://spec.matrix.org/v1.19/appendices/#canonical-json): the one text of a value that is hashed and signed.
///
/// Names in the order of code points, shortest escaping, no white space. Integers are written plainly; other numbers, which only
/// events of room versions 1 to 5 may hold, are written as received.
public enum CanonicalJSON {
    /// The canonical text of a value, without those members of the outermost object that `omitting` names.
    public static func text(of json: JSON, omitting omitted: [String] = []) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(json.bytes.count)
        append(json, omitting: omitted, to: &out)
        return out
    }

    /// The canonical text of a tree.
    public static func text(of value: JSONValue) -> [UInt8] {
        var out: [UInt8] = []
        append(value, to: &out)
        return out
    }

    /// Appends the canonical text of a value.
    static func append(_ json: JSON, to out: inout [UInt8]) { append(json, omitting: [], to: &out) }

    private static func append(_ json: JSON, omitting omitted: [String], to out: inout [UInt8]) {
        let document = json.document
        let node = json.node
        switch node.kind {
        case .null, .true, .false:
            out.append(contentsOf: json.bytes)
        case .number:
            if let int = json.int {
                out.append(contentsOf: String(int).utf8)
            } else {
                out.append(contentsOf: json.bytes)
            }
        case .string:
            appendString(node, document, to: &out)
        case .array:
            out.append(UInt8(ascii: "["))
            var first = true
            for element in json.elements {
                if !first { out.append(UInt8(ascii: ",")) }
                first = false
                append(element, omitting: [], to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object:
            out.append(UInt8(ascii: "{"))
            var first = true
            for index in sortedKeys(json) {
                let key = document.nodes[index]
                if omitted.contains(where: { document.key(key, is: $0) }) { continue }
                if !first { out.append(UInt8(ascii: ",")) }
                first = false
                appendString(key, document, to: &out)
                out.append(UInt8(ascii: ":"))
                append(JSON(document: document, index: index + 1), omitting: [], to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func appendString(_ node: JSONNode, _ document: JSONDocument, to out: inout [UInt8]) {
        if node.flag {
            JSONText.appendQuoted(JSONText.unescaped(document.bytes, node), to: &out)
        } else {
            out.append(contentsOf: document.bytes[Int(node.start) - 1..<Int(node.end) + 1])
        }
    }

    private static func sortedKeys(_ json: JSON) -> [Int] {
        let document = json.document
        let node = json.node
        var keys: [Int] = []
        var index = json.index + 1
        var sorted = true
        while index < node.next {
            if let last = keys.last, sorted, !precedes(last, index, document) { sorted = false }
            keys.append(index)
            index = Int(document.nodes[index + 1].next)
        }
        // What servers send is mostly canonical already.
        if !sorted { keys.sort { precedes($0, $1, document) } }
        return keys
    }

    private static func precedes(_ left: Int, _ right: Int, _ document: JSONDocument) -> Bool {
        let leftNode = document.nodes[left]
        let rightNode = document.nodes[right]
        if leftNode.flag || rightNode.flag {
            return JSONText.precedes(
                JSONText.unescaped(document.bytes, leftNode), JSONText.unescaped(document.bytes, rightNode)
            )
        }
        let bytes = document.bytes
        let leftLength = Int(leftNode.end - leftNode.start)
        let rightLength = Int(rightNode.end - rightNode.start)
        for offset in 0..<Swift.min(leftLength, rightLength) {
            let leftByte = bytes[Int(leftNode.start) + offset]
            let rightByte = bytes[Int(rightNode.start) + offset]
            if leftByte != rightByte { return leftByte < rightByte }
        }
        return leftLength < rightLength
    }

    private static func append(_ value: JSONValue, to out: inout [UInt8]) {
        switch value {
        case .array(let elements):
            out.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                append(element, to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let object):
            out.append(UInt8(ascii: "{"))
            for (index, member) in object.members.sorted(by: { $0.name < $1.name }).enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                JSONText.appendQuoted(member.name.string, to: &out)
                out.append(UInt8(ascii: ":"))
                append(member.value, to: &out)
            }
            out.append(UInt8(ascii: "}"))
        default:
            var writer = JSONWriter(capacity: 32)
            writer.write(value)
            out.append(contentsOf: writer.bytes)
        }
    }
}
