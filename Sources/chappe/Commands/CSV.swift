/// Comma-separated values.
///
/// [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)
enum CSV {
    /// A record and the line that it begins on, from 1.
    struct Record {
        let line: Int
        let fields: [String]
    }

    /// The records of a text; empty lines count as none.
    ///
    /// - Throws: ``CommandFailure`` for what is not UTF-8 or ends within quotes.
    static func parse(_ bytes: [UInt8]) throws -> [Record] {
        var bytes = bytes[...]
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
        guard String(validating: bytes, as: UTF8.self) != nil else { throw CommandFailure("the list is not UTF-8") }
        var records: [Record] = []
        var fields: [String] = []
        var field: [UInt8] = []
        var (line, begun) = (1, 1)
        var (isQuoted, wasQuoted) = (false, false)
        func end() {
            fields.append(String(decoding: field, as: UTF8.self))
            field = []
            wasQuoted = false
        }
        func endRecord() {
            if !fields.isEmpty || !field.isEmpty || wasQuoted {
                end()
                records.append(Record(line: begun, fields: fields))
            }
            fields = []
            begun = line
        }
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            let next = index + 1 < bytes.endIndex ? bytes[index + 1] : nil
            index += 1
            if byte == UInt8(ascii: "\n") { line += 1 }
            switch byte {
            case UInt8(ascii: "\"") where isQuoted && next == UInt8(ascii: "\""):
                field.append(byte)
                index += 1
            case UInt8(ascii: "\"") where isQuoted: isQuoted = false
            case _ where isQuoted: field.append(byte)
            case UInt8(ascii: "\"") where field.isEmpty && !wasQuoted: (isQuoted, wasQuoted) = (true, true)
            case UInt8(ascii: ","): end()
            case UInt8(ascii: "\r") where next == UInt8(ascii: "\n"): break
            case UInt8(ascii: "\n"): endRecord()
            default: field.append(byte)
            }
        }
        guard !isQuoted else { throw CommandFailure("line \(begun): quotes are opened and not closed") }
        endRecord()
        return records
    }
}
