/// Character references: `&eacute;`, `&#233;`, `&#xe9;`.
///
/// The names are those of Latin 1 and of what writers use beside it; the others stay as they stand.
/// [HTML, named character references](https://html.spec.whatwg.org/multipage/named-characters.html)
enum HTMLReferences {
    /// The longest name, and the longest number that makes sense.
    private static let maximumBytes = 10

    /// A text with its references resolved.
    static func resolved(_ bytes: ArraySlice<UInt8>) -> String {
        guard bytes.contains(UInt8(ascii: "&")) else { return String(decoding: bytes, as: UTF8.self) }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            guard bytes[index] == UInt8(ascii: "&") else {
                out.append(bytes[index])
                index += 1
                continue
            }
            let rest = bytes[(index + 1)...].prefix(maximumBytes)
            if let end = rest.firstIndex(of: UInt8(ascii: ";")), let character = character(rest[..<end]) {
                out += Array(String(character).utf8)
                index = end + 1
            } else {
                out.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func character(_ reference: ArraySlice<UInt8>) -> Unicode.Scalar? {
        guard reference.first == UInt8(ascii: "#") else {
            return named[String(decoding: reference, as: UTF8.self)].flatMap { Unicode.Scalar($0) }
        }
        let digits = reference.dropFirst()
        let isHexadecimal = digits.first.map { $0 | 0x20 == UInt8(ascii: "x") } ?? false
        let text = String(decoding: isHexadecimal ? digits.dropFirst() : digits, as: UTF8.self)
        guard text.utf8.first != UInt8(ascii: "+"), text.utf8.first != UInt8(ascii: "-"),
            let number = UInt32(text, radix: isHexadecimal ? 16 : 10)
        else { return nil }
        // Numbers from 128 to 159 are meant as Windows has them.
        if (0x80...0x9F).contains(number) { return Unicode.Scalar(CharacterSets.windows1252[Int(number - 0x80)]) }
        return Unicode.Scalar(number).flatMap { $0.value == 0 ? nil : $0 } ?? "\u{FFFD}"
    }

    private static let named: [String: UInt32] = {
        var named: [String: UInt32] = [
            "amp": 0x26, "lt": 0x3C, "gt": 0x3E, "quot": 0x22, "apos": 0x27, "OElig": 0x152, "oelig": 0x153,
            "Scaron": 0x160, "scaron": 0x161, "Yuml": 0x178, "fnof": 0x192, "circ": 0x2C6, "tilde": 0x2DC,
            "ensp": 0x2002, "emsp": 0x2003, "thinsp": 0x2009, "zwnj": 0x200C, "zwj": 0x200D, "lrm": 0x200E,
            "rlm": 0x200F,
            "ndash": 0x2013, "mdash": 0x2014, "lsquo": 0x2018, "rsquo": 0x2019, "sbquo": 0x201A, "ldquo": 0x201C,
            "rdquo": 0x201D, "bdquo": 0x201E, "dagger": 0x2020, "Dagger": 0x2021, "bull": 0x2022, "hellip": 0x2026,
            "permil": 0x2030, "prime": 0x2032, "Prime": 0x2033, "lsaquo": 0x2039, "rsaquo": 0x203A, "euro": 0x20AC,
            "trade": 0x2122, "larr": 0x2190, "rarr": 0x2192, "minus": 0x2212, "colon": 0x3A, "lpar": 0x28, "rpar": 0x29,
            "period": 0x2E, "comma": 0x2C, "excl": 0x21, "quest": 0x3F, "num": 0x23, "sol": 0x2F, "lowbar": 0x5F,
        ]
        for (index, name) in latin1.split(separator: " ").enumerated() { named[String(name)] = 0xA0 + UInt32(index) }
        return named
    }()

    /// The names from 160 to 255, in their order.
    private static let latin1 = """
        nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute \
        micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig \
        Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times \
        Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave \
        eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave \
        uacute ucirc uuml yacute thorn yuml
        """
}
