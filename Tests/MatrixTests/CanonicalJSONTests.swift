import Testing

@testable import Matrix

@Suite struct CanonicalJSONTests {
    /// The examples of [the appendices](https://spec.matrix.org/v1.19/appendices/#canonical-json), and what they leave open.
    @Test(arguments: [
        ("{}", "{}"),
        (#"{ "one": 1, "two": "Two" }"#, #"{"one":1,"two":"Two"}"#),
        (#"{ "b": "2", "a": "1" }"#, #"{"a":"1","b":"2"}"#),
        (#"{"b":"2","a":"1"}"#, #"{"a":"1","b":"2"}"#),
        (
            """
            {"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe",
             "three_pids": [{"medium": "email", "address": "john.doe@example.org"},
             {"medium": "msisdn", "address": "123456789"}]}}}
            """,
            #"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":"#
                + #"[{"address":"john.doe@example.org","medium":"email"},"#
                + #"{"address":"123456789","medium":"msisdn"}]},"success":true}}"#
        ),
        (#"{"a": "日本語"}"#, #"{"a":"日本語"}"#),
        (#"{"本": 2, "日": 1}"#, #"{"日":1,"本":2}"#),
        (#"{"a": "\u65E5"}"#, #"{"a":"日"}"#),
        (#"{"a": null}"#, #"{"a":null}"#),
        (#"{"a": -0, "b": 1e10}"#, #"{"a":0,"b":10000000000}"#),
        // Only what must be escaped is, and in the shortest way.
        (#""\/\u002f\u007f\u00e9""#, "\"//\u{7f}é\""),
        (#""\u0008\u0009\u000a\u000c\u000d\u0022\u005C""#, #""\b\t\n\f\r\"\\""#),
        (#""\u0000\u001F\u000B\u0010""#, #""\u0000\u001f\u000b\u0010""#),
        // The order is that of code points, not of UTF-16: U+FFFF stands before U+10000.
        ("{\"\u{10000}\":1,\"\u{FFFF}\":2}", "{\"\u{FFFF}\":2,\"\u{10000}\":1}"),
        (#"{"aa":1,"a":2,"":3,"b":4,"B":5}"#, #"{"":3,"B":5,"a":2,"aa":1,"b":4}"#),
        (#"{"\u0062":1,"a":2}"#, #"{"a":2,"b":1}"#),
        (#"{"aaaaaaaab":1,"aaaaaaaaa":2,"aaaaaaaa":3}"#, #"{"aaaaaaaa":3,"aaaaaaaaa":2,"aaaaaaaab":1}"#),
        // Names in two normal forms stay two.
        ("{\"\u{e9}\":1,\"e\u{301}\":2}", "{\"e\u{301}\":2,\"\u{e9}\":1}"),
        // What old rooms may hold stays what it was.
        ("[1.50,123456789012345678901,1E400,1e-2,-0.0]", "[1.50,123456789012345678901,1E400,1e-2,-0.0]"),
        ("[1e15,12E+2,-1e0,1.5e1]", "[1000000000000000,1200,-1,15]"), ("[ ]", "[]"), ("  true ", "true"),
    ])
    func examples(text: String, canonical: String) throws {
        let json = try JSON(parsing: text)
        #expect(String(decoding: CanonicalJSON.text(of: json), as: UTF8.self) == canonical)
        #expect(String(decoding: CanonicalJSON.text(of: json.value), as: UTF8.self) == canonical)
        let nested = try JSON(parsing: "{\"k\" :\(text)}")
        #expect(String(decoding: CanonicalJSON.text(of: nested), as: UTF8.self) == "{\"k\":\(canonical)}")
    }

    @Test func omitsMembersOfTheOutermostObjectOnly() throws {
        let json = try JSON(parsing: #"{"c":1,"a":{"c":2},"b":3}"#)
        #expect(
            String(decoding: CanonicalJSON.text(of: json, omitting: ["c"]), as: UTF8.self) == #"{"a":{"c":2},"b":3}"#)
        let escaped = try JSON(parsing: #"{"\u0063":1,"a":2}"#)
        #expect(String(decoding: CanonicalJSON.text(of: escaped, omitting: ["c"]), as: UTF8.self) == #"{"a":2}"#)
    }

    @Test(arguments: SeededGenerator.seeds(300))
    func treesSurviveTheirText(seed: UInt64) throws {
        var random = RandomJSON(random: SeededGenerator(seed: seed))
        let value = random.value()
        #expect(try JSON(parsing: value.serialized()).value == value, "seed \(seed)")
    }

    /// Two ways to canonical text that share no code but the escaping: over the tape and over the tree.
    @Test(arguments: SeededGenerator.seeds(300))
    func tapeAndTreeAgree(seed: UInt64) throws {
        var random = RandomJSON(random: SeededGenerator(seed: seed))
        let value = random.value()
        let canonical = CanonicalJSON.text(of: value)
        let careless = try JSON(parsing: random.carelessText(value))
        #expect(CanonicalJSON.text(of: careless) == canonical, "seed \(seed)")
        let parsed = try JSON(parsing: canonical, options: .canonical)
        #expect(CanonicalJSON.text(of: parsed.value) == canonical, "seed \(seed)")
        #expect(parsed.detached().document.nodes.count == parsed.document.nodes.count, "seed \(seed)")
    }

    /// The mark that lets canonical text be copied is set where it may be, and, apart from names with escapes, nowhere else.
    @Test(arguments: SeededGenerator.seeds(200))
    func onlyCanonicalTextIsTakenForIt(seed: UInt64) throws {
        var random = RandomJSON(random: SeededGenerator(seed: seed))
        let value = random.value()
        for text in [Array(random.carelessText(value).utf8), CanonicalJSON.text(of: value)] {
            let document = try JSON(parsing: text).document
            for index in 0..<document.nodes.count {
                let view = JSON(document: document, index: index)
                let isCanonical = Array(view.bytes) == CanonicalJSON.text(of: view.value)
                if view.node.isCanonical {
                    #expect(isCanonical, "seed \(seed)")
                } else if isCanonical {
                    #expect(hasEscapedName(view), "seed \(seed)")
                }
            }
        }
    }

    private func hasEscapedName(_ json: JSON) -> Bool {
        if json.isObject {
            var index = json.index + 1
            while index < json.node.next {
                if json.document.nodes[index].flag { return true }
                index = Int(json.document.nodes[index + 1].next)
            }
        }
        return json.elements.contains(where: hasEscapedName) || json.members.contains { hasEscapedName($0.value) }
    }
}
