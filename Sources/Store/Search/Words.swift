import Matrix

/// Cuts texts into the words by which they are found: small letters and digits, everything else separates.
///
/// Both database engines are given these words, so that the same is found on both.
public enum Words {
    /// The longest word, in Unicode scalars; longer ones are cut.
    public static let maximumLength = 64

    /// The words of a text in their order, not more than `limit`.
    public static func words(of text: String, limit: Int = 10_000) -> [String] {
        var words: [String] = []
        var word: [UInt8] = []
        var length = 0
        func finish() {
            guard length > 0 else { return }
            words.append(String(decoding: word, as: UTF8.self))
            word.removeAll(keepingCapacity: true)
            length = 0
        }
        for scalar in text.unicodeScalars {
            guard words.count < limit else { return words }
            if scalar.isASCII {
                // Most texts are, and the tables of Unicode's properties are slow.
                guard let byte = wordByte(UInt8(truncatingIfNeeded: scalar.value)) else {
                    finish()
                    continue
                }
                guard length < maximumLength else { continue }
                word.append(byte)
                length += 1
                continue
            }
            let properties = scalar.properties
            if isIdeograph(scalar) {
                // Nothing separates these: each is found by itself.
                finish()
                words.append(String(scalar))
            } else if properties.isAlphabetic || properties.numericType != nil
                || (length > 0 && isMark(properties.generalCategory))
            {
                guard length < maximumLength else { continue }
                let mapping = properties.lowercaseMapping
                word.append(contentsOf: mapping.utf8)
                length += mapping.unicodeScalars.count
            } else {
                finish()
            }
        }
        if words.count < limit { finish() }
        return words
    }

    /// A letter, which is made small, or digit of ASCII.
    private static func wordByte(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
        default: nil
        }
    }

    private static func isMark(_ category: Unicode.GeneralCategory) -> Bool {
        category == .nonspacingMark || category == .spacingMark || category == .enclosingMark
    }

    private static func isIdeograph(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x2E80...0x9FFF, 0xAC00...0xD7AF, 0xF900...0xFAFF, 0x20000...0x3FFFF: scalar.properties.isAlphabetic
        default: false
        }
    }

    /// The least text that is greater than all that begin with `word`, in the order of bytes.
    static func end(ofPrefix word: String) -> String { word + "\u{10FFFF}" }
}
