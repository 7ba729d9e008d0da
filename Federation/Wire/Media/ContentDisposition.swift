import Matrix

/// What a `Content-Disposition` field calls a file.
///
/// [RFC 6266](https://www.rfc-editor.org/rfc/rfc6266)
public enum ContentDisposition {
    private static let maximumBytes = 4_096

    /// The file's name, preferably from `filename*`; `nil` if the field gives none.
    public static func fileName(in field: String) -> String? {
        guard field.utf8.count <= maximumBytes else { return nil }
        var plain: String?
        var rest = Substring(field).utf8
        while let semicolon = rest.firstIndex(of: UInt8(ascii: ";")) {
            rest = rest[rest.index(after: semicolon)...].drop { $0 == 0x20 || $0 == 0x09 }
            let name = rest.prefix { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ";") }
            guard name.endIndex < rest.endIndex, rest[name.endIndex] == UInt8(ascii: "=") else { continue }
            rest = rest[rest.index(after: name.endIndex)...]
            let value = takeValue(&rest)
            switch String(decoding: name, as: UTF8.self).lowercased() {
            case "filename*": if let extended = decodeExtended(value) { return extended }
            case "filename": plain = plain ?? String(validating: value, as: UTF8.self)
            default: break
            }
        }
        return plain
    }

    private static func takeValue(_ rest: inout Substring.UTF8View) -> [UInt8] {
        guard rest.first == UInt8(ascii: "\"") else {
            let token = rest.prefix { $0 != UInt8(ascii: ";") && $0 != 0x20 }
            rest = rest[token.endIndex...]
            return Array(token)
        }
        rest.removeFirst()
        var value: [UInt8] = []
        while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
            if byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() {
                value.append(escaped)
            } else {
                value.append(byte)
            }
        }
        return value
    }

    /// `utf-8'language'percent-encoded`.
    private static func decodeExtended(_ value: [UInt8]) -> String? {
        let parts = value.split(separator: UInt8(ascii: "'"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, String(decoding: parts[0], as: UTF8.self).lowercased() == "utf-8" else { return nil }
        var decoded: [UInt8] = []
        var rest = parts[2]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                decoded.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
                return nil
            }
            decoded.append(high << 4 | low)
        }
        return String(validating: decoded, as: UTF8.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
