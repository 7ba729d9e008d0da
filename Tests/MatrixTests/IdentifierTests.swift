import Testing

@testable import Matrix

/// [Identifier grammar](https://spec.matrix.org/v1.19/appendices/#identifier-grammar).
@Suite struct IdentifierTests {
    @Test(arguments: [
        "example.org", "localhost", "a", "1.2.3.4", "1.2.3.4:8448", "matrix.org:8888", "[::1]", "[::1]:5000",
        "[2001:db8::ff00:42:8329]", "EXAMPLE.org", "a-b.c", "host:1", "[1234:5678::abcd]:5678",
    ])
    func serverNamesAccepted(text: String) throws {
        let name = try #require(ServerName(text))
        #expect(name.string == text)
        let trusted = ServerName(trusted: text)
        #expect(trusted.host == name.host)
        #expect(trusted.port == name.port)
    }

    @Test(arguments: [
        "", ":80", "exa mple.org", "example.org:", "example.org:123456", "example.org:12a", "é.fr", "[::1", "::1", "[]",
        "[gg::1]", "a_b.org", "a/b", "a@b", "example.org\0", "[::1]x", "host:80:80", "@a:b",
        String(repeating: "a", count: 256),
    ])
    func serverNamesRejected(text: String) {
        #expect(ServerName(text) == nil)
    }

    @Test func serverNameParts() throws {
        let name = try #require(ServerName("matrix.example.org:8448"))
        #expect(name.host == "matrix.example.org")
        #expect(name.port == 8448)
        #expect(try #require(ServerName("example.org")).port == nil)
        let address = try #require(ServerName("[::1]:80"))
        #expect(address.host == "[::1]")
        #expect(address.port == 80)
        #expect(address.isAddressLiteral)
        #expect(try #require(ServerName("1.2.3.4")).isAddressLiteral)
        #expect(try !#require(ServerName("1.2.3.4.example")).isAddressLiteral)
    }

    @Test(arguments: [
        "@alice:example.org", "@a.b_c=d-e/f+g0:example.org:8448", "@Alice:example.org", "@:example.org",
        "@alice bob:example.org", "@é:example.org", "@a!b:[::1]:80", "@a@b:c",
    ])
    func userIDsAccepted(text: String) throws {
        let user = try #require(UserID(text))
        #expect(user.string == text)
        #expect("@\(user.localpart):\(user.server)" == text)
        #expect(user.isLocal(to: user.server))
        let trusted = try #require(UserID(trusted: text))
        #expect(trusted == user && trusted.localpart == user.localpart && trusted.server == user.server)
    }

    @Test(arguments: [
        "", "@", "alice:example.org", "@alice", "@alice:", "@alice:exa mple", "#alice:example.org", "@a\0b:example.org",
        "@" + String(repeating: "a", count: 250) + ":b.org", " @alice:example.org", "@alice:example.org ",
    ])
    func userIDsRejected(text: String) {
        #expect(UserID(text) == nil)
    }

    @Test(arguments: [
        ("@alice:a", true), ("@0._=-/+z:a", true), ("@Alice:a", false), ("@:a", false), ("@a b:a", false),
        ("@é:a", false),
    ])
    func newUserIDsAreStrict(text: String, isStrict: Bool) throws {
        #expect(try #require(UserID(text)).isStrict == isStrict)
    }

    @Test func longestUserID() {
        let server = "example.org"
        #expect(UserID("@" + String(repeating: "a", count: 255 - 2 - server.count) + ":" + server) != nil)
        #expect(UserID("@" + String(repeating: "a", count: 256 - 2 - server.count) + ":" + server) == nil)
        // The limit counts bytes, not characters.
        #expect(UserID("@" + String(repeating: "é", count: 130) + ":" + server) == nil)
    }

    @Test(arguments: [
        ("!abc:example.org", true), ("!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ", true), ("!a b:c", true),
        ("!:example.org", true), ("!", false), ("abc:example.org", false), ("!abc:", false), ("!abc:bad host", false),
        ("!a\0b:c", false), ("$abc", false), ("!" + String(repeating: "a", count: 255), false),
    ])
    func roomIDs(text: String, isValid: Bool) {
        #expect((RoomID(text) != nil) == isValid)
    }

    @Test(arguments: [
        ("$abc:example.org", true), ("$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk", true), ("$x", true), ("$", false),
        ("abc", false), ("$a\0", false), ("$" + String(repeating: "a", count: 255), false),
    ])
    func eventIDs(text: String, isValid: Bool) {
        #expect((EventID(text) != nil) == isValid)
    }

    @Test(arguments: [
        ("#room:example.org", true), ("#é 😀:example.org", true), ("#:example.org", true), ("#room", false),
        ("room:example.org", false), ("#room:bad host", false), ("#ro\0om:example.org", false),
    ])
    func roomAliases(text: String, isValid: Bool) {
        #expect((RoomAlias(text) != nil) == isValid)
    }

    @Test func identifiersAreBytes() throws {
        let composed = try #require(UserID("@\u{e9}:a"))
        let decomposed = try #require(UserID("@e\u{301}:a"))
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
        #expect(StateKey(.member, "\u{e9}") != StateKey(.member, "e\u{301}"))
        // The order is that of bytes.
        #expect(decomposed < composed)
        #expect(ExactString("\u{FFFF}") < ExactString("\u{10000}"))
        #expect(ExactString("a") < ExactString("aa"))
        #expect(ExactString("") < ExactString("\0"))
    }

    @Test func signingKeyIDs() throws {
        let id = try #require(SigningKeyID("ed25519:a_b1"))
        #expect(id.algorithm == "ed25519" && id.name == "a_b1" && id.isEd25519)
        #expect(try !#require(SigningKeyID("rsa:1")).isEd25519)
        for text in ["", "ed25519", "ed25519:", ":1", "ed\0:1"] { #expect(SigningKeyID(text) == nil) }
    }
}
