#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Texts of other character sets, by the system's `iconv`.
enum CharacterConversion {
    /// The names of [WHATWG's standard](https://encoding.spec.whatwg.org/#names-and-labels) that pages use, and those of the system's
    /// library. No others: what a page names is a stranger's, and the library has sets with a history.
    private static let names: [String: String] = {
        var names = [
            "gb2312": "GB18030", "gbk": "GB18030", "gb18030": "GB18030", "big5": "BIG5-HKSCS", "shift_jis": "CP932",
            "shift-jis": "CP932", "sjis": "CP932", "euc-jp": "EUC-JP", "euc-kr": "CP949", "ks_c_5601-1987": "CP949",
            "koi8-r": "KOI8-R", "koi8-u": "KOI8-U", "windows-874": "CP874", "tis-620": "CP874",
            "macintosh": "MACINTOSH",
            "iso-8859-9": "CP1254", "latin9": "ISO-8859-15",
        ]
        for part in [2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16] { names["iso-8859-\(part)"] = "ISO-8859-\(part)" }
        for page in 1250...1258 where page != 1252 { names["windows-\(page)"] = "CP\(page)" }
        return names
    }()

    /// A text in UTF-8; `nil` for a character set that is not known. What is no character of it becomes U+FFFD.
    static func utf8(_ text: [UInt8], in characterSet: String) -> [UInt8]? {
        guard let name = names[characterSet], let descriptor = iconv_open("UTF-8", name),
            // What stands for an error, (iconv_t) -1.
            Int(bitPattern: descriptor) != -1
        else { return nil }
        defer { iconv_close(descriptor) }
        var input = text.map { CChar(bitPattern: $0) }
        // No character of these sets takes more than four bytes, and none of theirs makes two.
        var output = [CChar](repeating: 0, count: 4 * text.count + 16)
        let written = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in convert(descriptor, input, output) }
        }
        return output.prefix(written).map { UInt8(bitPattern: $0) }
    }

    private static func convert(
        _ descriptor: iconv_t, _ input: UnsafeMutableBufferPointer<CChar>, _ output: UnsafeMutableBufferPointer<CChar>
    ) -> Int {
        var from = input.baseAddress
        var left = input.count
        var to = output.baseAddress
        var room = output.count
        while left > 0 {
            // What is left then begins with a byte that is none of the set's, or with a character that is cut off.
            _ = iconv(descriptor, &from, &left, &to, &room)
            guard left > 0, room >= 3 else { break }
            for byte in "\u{FFFD}".utf8 {
                to?.pointee = CChar(bitPattern: byte)
                to = to?.advanced(by: 1)
                room -= 1
            }
            from = from?.advanced(by: 1)
            left -= 1
        }
        return output.count - room
    }
}
