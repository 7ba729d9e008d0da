/// In which characters a page is written, and what they are in UTF-8.
enum CharacterSets {
    /// How far into a page what it says of its characters is looked for.
    private static let lookedAtBytes = 2_048

    /// A page in UTF-8.
    ///
    /// - Parameters:
    ///   - page: Its bytes.
    ///   - contentType: What its server says it is.
    ///   - convert: Knows the character sets that are not known here.
    static func utf8(_ page: [UInt8], contentType: String?, convert: ([UInt8], String) -> [UInt8]?) -> [UInt8] {
        if page.starts(with: [0xEF, 0xBB, 0xBF]) { return repaired(page.dropFirst(3)) }
        if page.starts(with: [0xFE, 0xFF]) { return utf16(page.dropFirst(2), isBigEndian: true) }
        if page.starts(with: [0xFF, 0xFE]) { return utf16(page.dropFirst(2), isBigEndian: false) }
        let names = [contentType.flatMap { parameter(in: Array($0.utf8)) }, declared(in: page)]
        for name in names {
            guard let name else { continue }
            switch name {
            case "utf-8", "utf8": return repaired(page[...])
            case "utf-16", "utf-16le": return utf16(page[...], isBigEndian: false)
            case "utf-16be": return utf16(page[...], isBigEndian: true)
            // What calls itself ASCII or Latin 1 is the larger set of Windows, as browsers have it.
            case "windows-1252", "cp1252", "iso-8859-1", "latin1", "us-ascii", "ascii", "iso8859-1":
                return western(page)
            default:
                if let text = convert(page, name) { return repaired(text[...]) }
            }
        }
        return String(validating: page, as: UTF8.self) == nil && !isCutOff(page) ? western(page) : repaired(page[...])
    }

    /// Whether a text is UTF-8 but for a last character that was cut in two.
    private static func isCutOff(_ page: [UInt8]) -> Bool {
        (1...3).contains { String(validating: page.dropLast($0), as: UTF8.self) != nil }
    }

    private static func repaired(_ text: ArraySlice<UInt8>) -> [UInt8] {
        Array(String(decoding: text, as: UTF8.self).utf8)
    }

    private static func utf16(_ text: ArraySlice<UInt8>, isBigEndian: Bool) -> [UInt8] {
        let bytes = Array(text)
        let units = stride(from: 0, to: bytes.count - 1, by: 2).map { index in
            let (first, second) = (UInt16(bytes[index]), UInt16(bytes[index + 1]))
            return isBigEndian ? first << 8 | second : second << 8 | first
        }
        return Array(String(decoding: units, as: UTF16.self).utf8)
    }

    private static func western(_ text: [UInt8]) -> [UInt8] {
        var out = String.UnicodeScalarView()
        for byte in text {
            let isWindows = (0x80...0x9F).contains(byte)
            out.append(Unicode.Scalar(isWindows ? windows1252[Int(byte) - 0x80] : UInt16(byte)) ?? "\u{FFFD}")
        }
        return Array(String(out).utf8)
    }

    /// Windows-1252 from 128 to 159. [WHATWG's index](https://encoding.spec.whatwg.org/#windows-1252)
    static let windows1252: [UInt16] = [
        0x20AC, 0x81, 0x201A, 0x192, 0x201E, 0x2026, 0x2020, 0x2021, 0x2C6, 0x2030, 0x160, 0x2039, 0x152, 0x8D, 0x17D,
        0x8F,
        0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x2DC, 0x2122, 0x161, 0x203A, 0x153, 0x9D, 0x17E,
        0x178,
    ]

    /// What a page says of itself, in `<meta charset=…>`, `<meta content="…; charset=…">` or `<?xml encoding="…"?>`.
    private static func declared(in page: [UInt8]) -> String? {
        let beginning = page.prefix(lookedAtBytes).map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        if beginning.starts(with: "<?xml".utf8), let end = beginning.firstIndex(of: UInt8(ascii: ">")),
            let name = parameter("encoding", in: Array(beginning[..<end]))
        {
            return name
        }
        var rest = beginning[...]
        while let meta = rest.firstRange(of: Array("<meta".utf8)) {
            let end = rest[meta.upperBound...].firstIndex(of: UInt8(ascii: ">")) ?? rest.endIndex
            if let name = parameter(in: Array(rest[meta.upperBound..<end])) { return name }
            rest = rest[end...]
        }
        return nil
    }

    /// The value of `charset=…`, in small letters.
    private static func parameter(_ name: String = "charset", in text: [UInt8]) -> String? {
        let text = text.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        guard let found = text.firstRange(of: Array(name.utf8)) else { return nil }
        var rest = text[found.upperBound...].drop { $0 <= 0x20 }
        guard rest.first == UInt8(ascii: "=") else { return nil }
        rest = rest.dropFirst().drop { $0 <= 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "'") }
        let value = rest.prefix { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || "-_.:".utf8.contains($0) }
        return value.isEmpty || value.count > 40 ? nil : String(decoding: value, as: UTF8.self)
    }
}
