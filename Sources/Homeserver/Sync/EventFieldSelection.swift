import Matrix

/// The members of events that a filter's `event_fields` asks for.
///
/// [Dot-separated property paths](https://spec.matrix.org/v1.19/appendices/#dot-separated-property-paths).
public struct EventFieldSelection: Sendable {
    private final class Node: Sendable {
        /// Whether all below is wanted.
        let isWhole: Bool
        let children: [ExactString: Node]

        init(isWhole: Bool, children: [ExactString: Node]) {
            self.isWhole = isWhole
            self.children = children
        }
    }

    private let root: Node

    /// The fields that paths such as `content.body` name; a dot inside a name is written `\.`, a backslash `\\`.
    public init(_ paths: some Sequence<String>) {
        root = Self.node(paths.map { Self.names(in: $0)[...] })
    }

    /// Writes what is wanted of an event's client format, as one value.
    public func write(_ event: JSON, into writer: inout JSONWriter) {
        Self.write(event, root, into: &writer)
    }

    private static func write(_ value: JSON, _ node: Node, into writer: inout JSONWriter) {
        guard !node.isWhole else {
            writer.write(value)
            return
        }
        writer.beginObject()
        for (name, member) in value.members {
            guard let child = node.children[ExactString(name)], child.isWhole || member.isObject else { continue }
            writer.key(name)
            write(member, child, into: &writer)
        }
        writer.endObject()
    }

    private static func node(_ paths: [ArraySlice<ExactString>]) -> Node {
        var below: [ExactString: [ArraySlice<ExactString>]] = [:]
        var isWhole = false
        for path in paths {
            if let name = path.first {
                below[name, default: []].append(path.dropFirst())
            } else {
                isWhole = true
            }
        }
        return Node(isWhole: isWhole, children: isWhole ? [:] : below.mapValues { node($0) })
    }

    /// The names in a path. Names beyond the depth that JSON may have cannot match and are left out.
    static func names(in path: String) -> [ExactString] {
        var names: [ExactString] = []
        var name: [UInt8] = []
        var escaped = false
        for byte in path.utf8 {
            switch (escaped, byte) {
            case (true, UInt8(ascii: ".")), (true, UInt8(ascii: "\\")):
                name.append(byte)
                escaped = false
            case (true, _):
                // Any other escape stands for itself.
                name.append(UInt8(ascii: "\\"))
                name.append(byte)
                escaped = false
            case (false, UInt8(ascii: "\\")): escaped = true
            case (false, UInt8(ascii: ".")):
                names.append(ExactString(String(decoding: name, as: UTF8.self)))
                name = []
                if names.count >= 64 { return names }
            case (false, _): name.append(byte)
            }
        }
        if escaped { name.append(UInt8(ascii: "\\")) }
        names.append(ExactString(String(decoding: name, as: UTF8.self)))
        return names
    }
}
