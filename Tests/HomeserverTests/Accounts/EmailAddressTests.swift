import Homeserver
import Testing

@Suite struct EmailAddressTests {
    @Test(
        arguments: [
            ("alice@example.org", "alice@example.org"), ("Alice@EXAMPLE.org", "alice@example.org"),
            ("a.b+c@x-y.example", "a.b+c@x-y.example"), ("o'neil!#$%&*/=?^_`{|}~-@x", "o'neil!#$%&*/=?^_`{|}~-@x"),
            // The example of the specification.
            ("Strauß@Example.com", "strauss@example.com"), ("STRASSE@x.example", "strasse@x.example"),
            ("RENÉ@é.example", "rené@é.example"), ("ΣΟΦΟΣ@x.example", "σοφοσ@x.example"),
            ("σοφος@x.example", "σοφοσ@x.example"),
            ("\u{212A}@x.example", "k@x.example"),
        ])
    func isFolded(_ written: String, _ address: String) {
        #expect(EmailAddress(written)?.string.utf8.elementsEqual(address.utf8) == true)
    }

    @Test func foldingTwiceChangesNothing() throws {
        for written in ["Strauß@Example.com", "İ@x.example", "ŉ@x.example", "ﬀ@x.example", "ΐ@x.example"] {
            let address = try #require(EmailAddress(written))
            #expect(EmailAddress(address.string) == address)
        }
    }

    @Test func whatLooksTheSameIsNot() {
        // The same letter in two ways of writing it: another mailbox, as far as anybody knows.
        #expect(EmailAddress("e\u{301}@x.example") != EmailAddress("\u{E9}@x.example"))
        #expect(EmailAddress("\u{430}@x.example") != EmailAddress("a@x.example"))
    }

    @Test(
        arguments: [
            "", "@", "a", "a@", "@b", "a@b@c", "a b@c", " a@b", "a@b ", "a@b\n", "a\r\nX: y@b", "a\0@b", "a\u{7F}@b",
            "a\u{85}@b", "a\u{A0}@b", "a\u{2028}@b", "a\u{202E}@b", "a\u{200B}@b", "<a@b>", "a,b@c", "a;b@c", "a:b@c",
            "(a)b@c",
            "\"a\"@b", "a\\@b", "a[@b", "a@[::1]", "a@b_c", "a@b,c", "a@b/c", "a@-b", "a@b-", "a@.b", "a@b.", "a@b..c",
            ".a@b",
            "a.@b", "a..b@c", "-a@b", String(repeating: "a", count: 65) + "@b",
            "a@" + String(repeating: "b", count: 64),
            "a@" + String(repeating: "bb.", count: 90) + "b",
            // Short enough as it is written, not as it is compared.
            String(repeating: "ΐ", count: 31) + "@" + String(repeating: "b.", count: 90) + "bb",
        ])
    func refuses(_ written: String) { #expect(EmailAddress(written) == nil) }

    @Test func knowsWhereItCanGo() throws {
        #expect(try #require(EmailAddress("a@example.org")).isASCII)
        #expect(try #require(EmailAddress("a@example.org")).domain == "example.org")
        #expect(try #require(EmailAddress("é@example.org")).isASCII == false)
    }
}
