import Testing

@testable import Adapters

@Suite("XML")
struct XMLReaderTests {
    private func pieces(_ text: String) throws -> [XMLReader.Piece] {
        var reader = try XMLReader(Array(text.utf8))
        var pieces: [XMLReader.Piece] = []
        while let piece = try reader.next() { pieces.append(piece) }
        return pieces
    }

    @Test("Elements, texts, references, CDATA, comments, instructions")
    func reads() throws {
        let text = """
            <?xml version="1.0"?>
            <!-- before -->
            <a:one xmlns:a="n1" xmlns='n2' x="&lt;1>">t&amp;u<!-- in --><two/><![CDATA[<&>]]>&#65;&#x42;</a:one>
            """
        #expect(
            try pieces(text) == [
                .start(name: "one", namespace: "n1"), .text("t&u"), .start(name: "two", namespace: "n2"), .end,
                .text("<&>"), .text("AB"), .end,
            ])
    }

    @Test("A namespace holds inside its element only")
    func scopes() throws {
        let text = "<r><a xmlns='inner'><b/></a><c/></r>"
        let starts = try pieces(text).compactMap { piece -> String? in
            if case .start(let name, let namespace) = piece { return "\(name) \(namespace)" }
            return nil
        }
        #expect(starts == ["r ", "a inner", "b inner", "c "])
    }

    @Test(
        "What is no whole document is refused",
        arguments: [
            "", " ", "text", "<a>", "</a>", "<a></b>", "<a></a><b/>", "<a/>x", "<a", "<a x>", "<a x=1/>", "<a x='1/>",
            "<a x='<'/>", "<a>&unknown;</a>", "<a>&#0;</a>", "<a>&#xD800;</a>", "<a>&#+65;</a>", "<a>&amp</a>",
            "<a><!-- </a>", "<a><![CDATA[</a>", "<!DOCTYPE a><a/>", "<p:a/>", "<1/>", "<a x='1'y='2'/>", "< a/>",
            String(repeating: "<a>", count: 65) + String(repeating: "</a>", count: 65),
        ])
    func refuses(_ text: String) { #expect(throws: XMLReader.Malformed.self) { try pieces(text) } }

    @Test("What is not UTF-8 is refused")
    func refusesOtherEncodings() {
        #expect(throws: XMLReader.Malformed.self) { try XMLReader([0x3C, 0x61, 0xFF, 0x2F, 0x3E]) }
    }
}
