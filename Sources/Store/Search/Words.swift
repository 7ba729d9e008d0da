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
        var word = String.UnicodeScalarView()
        func finish() {
            guard !word.isEmpty else { return }
            words.append(String(word))
            word = String.UnicodeScalarView()
        }
        for scalar in text.unicodeScalars {
            guard words.count < limit else { return words }
            let properties = scalar.properties
            if isIdeograph(scalar) {
                // Nothing separates these: each is found by itself.
                finish()
                words.append(String(scalar))
            } else if properties.isAlphabetic || properties.numericType != nil
                || (!word.isEmpty && isMark(properties.generalCategory))
            {
                if word.count < maximumLength { word.append(contentsOf: properties.lowercaseMapping.unicodeScalars) }
            } else {
                finish()
            }
        }
        if words.count < limit { finish() }
        return words
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
