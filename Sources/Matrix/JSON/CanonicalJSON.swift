/// [Canonical JSON](https://spec.matrix.org/v1.19/appendices/#canonical-json): the one text of a value that is hashed and signed.
///
/// Names in the order of code points, shortest escaping, no white space. Integers are written plainly, also those that came with an
/// exponent; other numbers, which only events of room versions 1 to 5 may hold, are written as received.
public enum CanonicalJSON {
    /// The canonical text of a value, without those members of the outermost object that `omitting` names.
    public static func text(of json: JSON, omitting omitted: [String] = []) -> [UInt8] {
        if json.node.isCanonical, omitted.isEmpty { return Array(json.bytes) }
        return CanonicalWriter.write(json, omitting: omitted)
    }

    /// The canonical text of a tree.
    public static func text(of value: JSONValue) -> [UInt8] {
        var out: [UInt8] = []
        append(value, to: &out)
        return out
    }

    /// Appends the canonical text of a value.
    static func append(_ json: JSON, to out: inout [UInt8]) {
        if json.node.isCanonical {
            out.append(contentsOf: json.bytes)
        } else {
            out.append(contentsOf: CanonicalWriter.write(json, omitting: []))
        }
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
        case .number(let text): out.append(contentsOf: CanonicalNumber.text(of: Array(text.string.utf8)))
        default:
            var writer = JSONWriter(capacity: 32)
            writer.write(value)
            out.append(contentsOf: writer.bytes)
        }
    }
}

/// Numbers that were written with a fraction, an exponent or a superfluous sign.
enum CanonicalNumber {
    /// How many bytes longer than the received text the canonical one can be: `1e15` has sixteen digits.
    static let longestGrowth = 13

    /// The plain integer where an exponent hides one within ±(2^53−1), `0` for `-0`; otherwise the text as it is.
    static func text(of received: [UInt8]) -> [UInt8] {
        if received == Array("-0".utf8) { return [UInt8(ascii: "0")] }
        guard received.contains(where: { $0 | 0x20 == UInt8(ascii: "e") }),
            let value = Double(String(decoding: received, as: UTF8.self)), value.rounded(.towardZero) == value,
            value.magnitude <= Double(JSON.maximumInteger)
        else { return received }
        return Array(String(Int64(value)).utf8)
    }
}
