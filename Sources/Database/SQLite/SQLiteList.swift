import Glibc

/// Lists of values as the JSON arrays that `json_each` opens.
enum SQLiteList {
    static func json(_ values: [Int64]) -> [UInt8] {
        var json: [UInt8] = []
        json.reserveCapacity(values.count * 8 + 2)
        json.append(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            if index > 0 { json.append(UInt8(ascii: ",")) }
            json.append(contentsOf: String(value).utf8)
        }
        json.append(UInt8(ascii: "]"))
        return json
    }

    static func json(_ values: [String]) throws -> [UInt8] {
        var json: [UInt8] = []
        json.reserveCapacity(values.count * 32 + 2)
        json.append(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            if index > 0 { json.append(UInt8(ascii: ",")) }
            json.append(UInt8(ascii: "\""))
            for byte in value.utf8 { try append(byte, to: &json) }
            json.append(UInt8(ascii: "\""))
        }
        json.append(UInt8(ascii: "]"))
        return json
    }

    private static func append(_ byte: UInt8, to json: inout [UInt8]) throws {
        switch byte {
        case 0: throw TextRules.nulRefused
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            json.append(UInt8(ascii: "\\"))
            json.append(byte)
        case 1..<0x20:
            let digits = Array("0123456789abcdef".utf8)
            json.append(contentsOf: "\\u00".utf8)
            json.append(digits[Int(byte >> 4)])
            json.append(digits[Int(byte & 15)])
        default: json.append(byte)
        }
    }
}

/// What both engines agree to call text.
enum TextRules {
    /// PostgreSQL's code for a byte that its encoding refuses; we answer the same on SQLite.
    static let nulRefused = DatabaseError.sql(code: "22021", message: "a text parameter holds a NUL character")

    static func refuseNUL(_ bytes: UnsafeRawBufferPointer) throws {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        if memchr(base, 0, bytes.count) != nil { throw nulRefused }
    }
}
