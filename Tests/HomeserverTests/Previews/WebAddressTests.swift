import Testing

@testable import Homeserver

@Suite struct WebAddressTests {
    @Test(arguments: [
        ("http://a.example", "http://a.example/"), ("HTTP://A.Example.:80/b", "http://a.example/b"),
        ("https://a.example:443?q#f", "https://a.example/?q"),
        (" https://a.example:8443/é \n", "https://a.example:8443/%C3%A9"),
        ("http://a.example/a/./b/../c/..", "http://a.example/a/"), ("http://a.example/../../x", "http://a.example/x"),
        ("http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080/"), ("http://192.0.2.1:/", "http://192.0.2.1/"),
        ("http://a.example/a b\"<>?c d", "http://a.example/a%20b%22%3C%3E?c%20d"),
        ("http://a.example//b", "http://a.example//b"),
        ("http://a.example/%2e%2e/x", "http://a.example/%2e%2e/x"),
    ])
    func oneFormForEach(_ text: String, _ form: String) {
        #expect(WebAddress(text)?.description == form)
        #expect(WebAddress(form)?.description == form)
    }

    @Test(arguments: [
        "", "a.example", "//a.example/", "ftp://a.example/", "javascript:alert(1)", "data:text/html,x",
        "http:a.example", "http:///x",
        "http://a@b.example/", "http://a:b@c.example/", "http://a.example:0/", "http://a.example:22/",
        "http://a.example:65536/",
        "http://a.example:x/", "http://127.1/", "http://0x7f.0.0.1/", "http://2130706433/", "http://a%2eexample/",
        "http://a_b\\c/",
        "http://[::1", "http://a.example\u{0}/", "http://./",
    ])
    func whatIsNone(_ text: String) { #expect(WebAddress(text) == nil) }

    @Test(arguments: [
        ("", "http://a.example/b/c?d"), ("#x", "http://a.example/b/c?d"), ("?e", "http://a.example/b/c?e"),
        ("e", "http://a.example/b/e"), ("../e", "http://a.example/e"), ("/e", "http://a.example/e"),
        ("//b.example/e", "http://b.example/e"), ("https://b.example", "https://b.example/"),
        ("./", "http://a.example/b/"),
    ])
    func references(_ reference: String, _ form: String) throws {
        let base = try #require(WebAddress("http://a.example/b/c?d"))
        #expect(base.following(reference)?.description == form)
        #expect(base.following("mailto:a@b.example") == nil)
    }

    @Test func patterns() throws {
        func covers(_ pattern: String, _ address: String) throws -> Bool {
            let pattern = try #require(AddressPattern(pattern))
            return pattern.covers(try #require(WebAddress(address)))
        }
        #expect(try covers("a.example", "https://A.example:8443/x"))
        #expect(try !covers("a.example", "https://b.a.example/"))
        #expect(try covers("*.a.example", "https://b.a.example/"))
        #expect(try !covers("*.a.example", "https://a.example/"))
        #expect(try !covers("*.a.example", "https://ba.example/"))
        #expect(try covers("https://a.example/x/*/y", "https://a.example/x/1/2/y/z"))
        #expect(try !covers("https://a.example/x/*/y", "https://a.example/y/x/"))
        #expect(try covers("*://a.example/", "http://a.example/"))
        #expect(try !covers("http://a.example/", "http://a.example:8080/"))
        #expect(AddressPattern("") == nil && AddressPattern("a b") == nil && AddressPattern("a.example/x") == nil)
    }
}

@Suite struct HTMLTests {
    private func pieces(_ text: String) -> [HTMLScanner.Piece] {
        var scanner = HTMLScanner(Array(text.utf8))
        var pieces: [HTMLScanner.Piece] = []
        while let piece = scanner.next() { pieces.append(piece) }
        return pieces
    }

    @Test func tags() {
        #expect(
            pieces("a<B c='&lt;d' e = f g>h</B >i<!-- > -->j<br/>") == [
                .text("a"),
                .start(
                    "b", [.init(name: "c", value: "<d"), .init(name: "e", value: "f"), .init(name: "g", value: "")]),
                .text("h"), .end("b"), .text("i"), .text("j"), .start("br", []),
            ])
        #expect(pieces("<script>a<b></SCRIPT>") == [.start("script", []), .text("a<b>"), .end("script")])
        #expect(
            pieces("1 < 2 &amp;&nbsp;&unknown; &#x41;&#0;") == [
                .text("1 "), .text("<"), .text(" 2 &\u{A0}&unknown; A\u{FFFD}"),
            ])
        #expect(pieces("<!doctype html><?x?></ x><") == [.text("<"), .text("/ x>")])
    }

    /// Whatever a page is, reading it ends, and says nothing longer than the page.
    @Test func anything() {
        var generator = SystemRandomNumberGenerator()
        let words = [
            "<", ">", "/", "!--", "-->", "meta ", "script", "=", "\"", "'", "&#", ";", "og:title", "content", "é",
            "\u{0}", " ",
        ]
        for _ in 0..<300 {
            let text = (0..<60).map { _ in words.randomElement(using: &generator) ?? "" }.joined()
            let told = PageDescription(Array(text.utf8)).properties.reduce(0) { $0 + $1.value.utf8.count }
            #expect(told <= 3 * text.utf8.count, "\(text)")
        }
    }
}
