import Matrix

/// [Dot-separated property paths](https://spec.matrix.org/v1.19/appendices/#dot-separated-property-paths).
enum PropertyPath {
    /// The names that a path is made of. `\.` and `\\` stand for a dot and a backslash in a name; other backslashes for themselves.
    static func split(_ path: String) -> [String] {
        var names: [String] = []
        var name: [UInt8] = []
        var escaped = false
        for byte in path.utf8 {
            if escaped {
                if byte != UInt8(ascii: "."), byte != UInt8(ascii: "\\") { name.append(UInt8(ascii: "\\")) }
                name.append(byte)
                escaped = false
            } else if byte == UInt8(ascii: "\\") {
                escaped = true
            } else if byte == UInt8(ascii: ".") {
                names.append(String(decoding: name, as: UTF8.self))
                name = []
            } else {
                name.append(byte)
            }
        }
        if escaped { name.append(UInt8(ascii: "\\")) }
        return names + [String(decoding: name, as: UTF8.self)]
    }

    /// The path of names.
    static func join(_ names: [String]) -> String {
        names.map { name in
            var out: [UInt8] = []
            for byte in name.utf8 {
                if byte == UInt8(ascii: ".") || byte == UInt8(ascii: "\\") { out.append(UInt8(ascii: "\\")) }
                out.append(byte)
            }
            return String(decoding: out, as: UTF8.self)
        }.joined(separator: ".")
    }
}
