@testable import Matrix

/// Random trees with everything that has ever been difficult: control characters, quotes, characters outside the basic plane, keys in
/// two normal forms, numbers at the limits.
struct RandomJSON {
    var random: SeededGenerator

    private static let alphabet: [String] = [
        "a", "b", "z", "A", "0", "_", ".", " ", "\"", "\\", "/", "\u{8}", "\t", "\n", "\u{c}", "\r", "\u{0}", "\u{1}",
        "\u{1f}", "\u{7f}", "é", "e\u{301}", "日", "\u{2028}", "\u{FFFD}", "\u{FFFF}", "😀", "\u{10FFFF}",
    ]

    mutating func string() -> String {
        (0..<Int.random(in: 0...12, using: &random)).map { _ in Self.alphabet.randomElement(using: &random) ?? "" }
            .joined()
    }

    mutating func value(depth: Int = 4) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2:
            let edge: [Int64] = [0, 1, -1, JSON.maximumInteger, -JSON.maximumInteger, 10, -10]
            return .integer(edge.randomElement(using: &random) ?? 0)
        case 3: return .integer(Int64.random(in: -JSON.maximumInteger...JSON.maximumInteger, using: &random))
        case 4, 5: return .string(string())
        case 6: return .array((0..<Int.random(in: 0...5, using: &random)).map { _ in value(depth: depth - 1) })
        default: return .object(object(depth: depth))
        }
    }

    mutating func object(depth: Int = 4) -> JSONObject {
        let count = Int.random(in: 0..<20, using: &random) == 0 ? 60 : Int.random(in: 0...7, using: &random)
        return JSONObject((0..<count).map { _ in (string(), value(depth: depth - 1)) })
    }

    /// The text of a value with white space, superfluous escapes and members in any order.
    mutating func carelessText(_ value: JSONValue) -> String {
        switch value {
        case .string(let string): return quoted(string.string)
        case .array(let elements):
            return "[" + space() + elements.map { carelessText($0) + space() }.joined(separator: "," + space()) + "]"
        case .object(let object):
            let members = object.members.shuffled(using: &random).map { member in
                quoted(member.name.string) + space() + ":" + space() + carelessText(member.value) + space()
            }
            return "{" + space() + members.joined(separator: "," + space()) + "}"
        default: return String(decoding: value.serialized(), as: UTF8.self)
        }
    }

    private mutating func space() -> String {
        [" ", "", "", "\n", "\t ", "\r\n"].randomElement(using: &random) ?? ""
    }

    private mutating func quoted(_ string: String) -> String {
        var out = "\""
        for scalar in string.unicodeScalars {
            let mustEscape = scalar.value < 0x20 || scalar == "\"" || scalar == "\\"
            if mustEscape || Int.random(in: 0..<4, using: &random) == 0 {
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16, uppercase: Bool.random(using: &random))
                    out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            } else {
                out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
