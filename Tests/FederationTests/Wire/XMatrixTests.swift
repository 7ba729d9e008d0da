import FederationWire
import Matrix
import Testing

@Suite struct XMatrixTests {
    private static let sig = String(repeating: "A", count: 86)

    private func parse(_ field: String) -> XMatrixCredentials? { try? XMatrixCredentials(parsing: field) }

    @Test(arguments: [
        // As the specification writes it.
        #"X-Matrix origin="a.example",destination="b.example",key="ed25519:k",sig="SIG""#,
        // Any order, any case of the names and of the scheme, spaces and tabs around commas.
        "x-MATRIX  Key=\"ed25519:k\" ,\tsIg=\"SIG\"\t, destination=\"b.example\",oriGin=\"a.example\"",
        // Tokens need no quotes, and colons are let through.
        #"X-Matrix origin=a.example,destination=b.example,key=ed25519:k,sig="SIG""#,
        // Parameters that nobody knows, empty elements, spaces around the equals sign.
        #"X-Matrix , future="a,b=\"c",origin = "a.example",,destination="b.example",key="ed25519:k",sig="SIG","#,
        // Escaped characters stand for themselves.
        #"X-Matrix origin="a\.exa\mple",destination="b.example",key="ed25519:k",sig="SIG""#,
        // The name that the list of parameters has.
        #"X-Matrix origin="a.example",destination="b.example",key="ed25519:k",signature="SIG""#,
    ])
    func readsWhatServersSend(field: String) throws {
        let text = field.replacingToken("SIG", by: Self.sig)
        let credentials = try XMatrixCredentials(parsing: text)
        #expect(credentials.origin.string == "a.example")
        #expect(credentials.destination?.string == "b.example")
        #expect(credentials.keyID.string == "ed25519:k")
        #expect(credentials.signature == [UInt8](repeating: 0, count: 64))
    }

    @Test(arguments: [
        "", "X-Matrix", "X-Matrixorigin=a", "Bearer abc", "X-Matrix origin", "X-Matrix origin=",
        #"X-Matrix origin="a.example",key="ed25519:k""#,
        #"X-Matrix origin="a.example",sig="SIG""#,
        #"X-Matrix key="ed25519:k",sig="SIG""#,
        #"X-Matrix origin="a.example",origin="a.example",key="ed25519:k",sig="SIG""#,
        #"X-Matrix origin="a.example",ORIGIN="b.example",key="ed25519:k",sig="SIG""#,
        #"X-Matrix origin="a b",key="ed25519:k",sig="SIG""#,
        #"X-Matrix origin="a.example",destination="",key="ed25519:k",sig="SIG""#,
        #"X-Matrix origin="a.example",key="ed25519:k",sig="SIG"#,
        #"X-Matrix origin="a.example",key="ed25519:k",sig="SIG"x"#,
        #"X-Matrix origin="a.example" key="ed25519:k",sig="SIG""#,
        #"X-Matrix origin="a.example",key="ed25519:k",sig="SIG\"#,
        #"X-Matrix origin="a.example",key="ed25519:k",sig="AAAA""#,
        #"X-Matrix origin="a.example",key="ed25519:k",sig="!SIG""#,
        #"X-Matrix origin="a.example",key="nocolon",sig="SIG""#,
        #"X-Matrix origin=a/b,key="ed25519:k",sig="SIG""#,
        "X-Matrix origin=\"a.\u{0}example\",key=\"ed25519:k\",sig=\"SIG\"",
        "X-Matrix origin=\"a.\nexample\",key=\"ed25519:k\",sig=\"SIG\"",
        "X-Matrix \u{e9}=\"a\",origin=\"a.example\",key=\"ed25519:k\",sig=\"SIG\"",
    ])
    func refusesTheRest(field: String) {
        #expect(parse(field.replacingToken("SIG", by: Self.sig)) == nil)
    }

    @Test func whatItWritesItReads() throws {
        for name in ["a.example", "a.example:8448", "[::1]:8448", "127.0.0.1"] {
            let credentials = XMatrixCredentials(
                origin: ServerName(trusted: name), destination: ServerName(trusted: "b.example"),
                keyID: try #require(SigningKeyID("ed25519:a_1")), signature: (0..<64).map { $0 })
            #expect(try XMatrixCredentials(parsing: credentials.field) == credentials)
            #expect(!credentials.field.contains("\\") && !credentials.field.contains(", "))
            #expect(XMatrixCredentials.isPresent(in: credentials.field))
        }
    }

    /// Every field that is cut off, or has a byte changed, is refused or read; nothing crashes.
    @Test func damagedFieldsAreHarmless() {
        let field = Array(
            #"X-Matrix origin="a.example",destination="b.example",key="ed25519:k",sig="\#(Self.sig)""#.utf8)
        for end in 0..<field.count {
            #expect(parse(String(decoding: field[..<end], as: UTF8.self)) == nil)
        }
        for index in field.indices {
            for byte in [0, 9, 34, 44, 61, 92, 127, 200] as [UInt8] {
                var changed = field
                changed[index] = byte
                _ = parse(String(decoding: changed, as: UTF8.self))
            }
        }
        #expect(parse("X-Matrix " + String(repeating: ",", count: 5_000)) == nil)
    }
}

extension String {
    /// The text with each occurrence of a word replaced.
    func replacingToken(_ token: String, by text: String) -> String {
        var result = ""
        var rest = self[...]
        while let range = rest.firstRange(of: token) {
            result += rest[..<range.lowerBound] + text
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}
