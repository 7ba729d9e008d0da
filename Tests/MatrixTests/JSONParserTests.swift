import Testing

@testable import Matrix

@Suite struct JSONParserTests {
    @Test(arguments: [
        "0", "-0", "1", "-1", "10", "1.5", "-0.0", "1e5", "1E+5", "1e-5", "123.456e789", "9007199254740991",
        "-9007199254740991", "9007199254740992", "123456789012345678901234567890", "true", "false", "null", "\"\"",
        "[]", "{}", "[[]]", " [ ] ", "\t{\r\n}\n", #"{"a":1}"#, #"{"a":{"a":{"a":1}}}"#, "[1,2,3]", "[null,true]",
        #""\"\\\/\b\f\n\r\t""#, #""\u0000""#, #""\uD83D\uDE00""#, #""\uFFFF""#, "\"\u{7f}\"", "\"é日😀\u{10FFFF}\"",
        "\"\u{2028}\u{2029}\"", #"{"":0}"#, #"{"a":1,"A":2}"#, "{\"\u{e9}\":1,\"e\u{301}\":2}", #"{"b":1,"a":2}"#,
    ])
    func accepts(text: String) throws {
        _ = try JSON(parsing: text)
    }

    static let rejected: [(String, JSONError)] = [
        ("", .unexpectedEnd), ("   ", .unexpectedEnd), ("[", .unexpectedEnd), ("{", .unexpectedEnd),
        ("[1", .unexpectedEnd), ("[1,", .unexpectedEnd), (#"{"a""#, .unexpectedEnd), (#"{"a":"#, .unexpectedEnd),
        (#"{"a":1"#, .unexpectedEnd), (#"{"a":1,"#, .unexpectedEnd), ("\"", .unexpectedEnd), ("\"abc", .unexpectedEnd),
        ("\"abcdefghij", .unexpectedEnd), ("\"\\", .unexpectedEnd), (#""\u12"#, .unexpectedEnd), ("-", .unexpectedEnd),
        ("1.", .unexpectedEnd), ("1e", .unexpectedEnd), ("1e+", .unexpectedEnd), ("tru", .unexpectedEnd),
        ("n", .unexpectedEnd),
        ("[1,]", .unexpectedByte(offset: 3)), ("[,1]", .unexpectedByte(offset: 1)),
        ("[1 2]", .unexpectedByte(offset: 3)), ("{a:1}", .unexpectedByte(offset: 1)),
        (#"{"a" 1}"#, .unexpectedByte(offset: 5)), (#"{"a":1,}"#, .unexpectedByte(offset: 7)),
        (#"{"a":1]"#, .unexpectedByte(offset: 6)), ("[1}", .unexpectedByte(offset: 2)),
        (#"{1:1}"#, .unexpectedByte(offset: 1)), ("'a'", .unexpectedByte(offset: 0)),
        ("True", .unexpectedByte(offset: 0)), ("nul1", .unexpectedByte(offset: 3)), ("01", .unexpectedByte(offset: 1)),
        ("-01", .unexpectedByte(offset: 2)), ("+1", .unexpectedByte(offset: 0)), (".5", .unexpectedByte(offset: 0)),
        ("1.e5", .unexpectedByte(offset: 2)), ("1ex", .unexpectedByte(offset: 2)), ("-a", .unexpectedByte(offset: 1)),
        ("NaN", .unexpectedByte(offset: 0)), ("Infinity", .unexpectedByte(offset: 0)),
        ("/* */1", .unexpectedByte(offset: 0)), ("\u{b}1", .unexpectedByte(offset: 0)),
        ("\u{feff}1", .unexpectedByte(offset: 0)), ("]", .unexpectedByte(offset: 0)),
        ("1 1", .trailingBytes(offset: 2)), ("{}}", .trailingBytes(offset: 2)), ("[]\0", .trailingBytes(offset: 2)),
        ("nullx", .trailingBytes(offset: 4)), ("0x10", .trailingBytes(offset: 1)),
        (#"{"a":1,"a":2}"#, .duplicateKey(offset: 8)), (#"{"b":1,"a":2,"b":3}"#, .duplicateKey(offset: 14)),
        (#"{"a":1,"\u0061":2}"#, .duplicateKey(offset: 8)), (#"{"\u0061":1,"a":2}"#, .duplicateKey(offset: 13)),
        (#"[{"a":{"x":1,"x":1}}]"#, .duplicateKey(offset: 14)), (#"{"":1,"":2}"#, .duplicateKey(offset: 7)),
        (#"{"\n":1,"\u000a":2}"#, .duplicateKey(offset: 9)), (#"{"\/":1,"/":2}"#, .duplicateKey(offset: 9)),
        (#"{"\ud83d\ude00":1,"😀":2}"#, .duplicateKey(offset: 19)),
        (#""\ud800""#, .loneSurrogate(offset: 1)), (#""\udc00""#, .loneSurrogate(offset: 1)),
        (#""\ud800\ud800""#, .loneSurrogate(offset: 1)), (#""\ud800x""#, .loneSurrogate(offset: 1)),
        (#""a\ud800\n""#, .loneSurrogate(offset: 2)), (#"{"\udfff":1}"#, .loneSurrogate(offset: 2)),
        (#""\x""#, .invalidEscape(offset: 1)), (#""\u12g4""#, .invalidEscape(offset: 1)),
        (#""\ ""#, .invalidEscape(offset: 1)), (#""\ud800\uzzzz""#, .invalidEscape(offset: 7)),
        ("\"\n\"", .controlCharacter(offset: 1)), ("\"abcdefgh\u{1f}\"", .controlCharacter(offset: 9)),
        ("\"\0\"", .controlCharacter(offset: 1)), ("\"\\n\t\"", .controlCharacter(offset: 3)),
    ]

    @Test(arguments: rejected)
    func rejects(text: String, reason: JSONError) {
        #expect(throws: reason) { try JSON(parsing: text) }
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
            [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF],
        ] as [[UInt8]])
    func rejectsInvalidUTF8(sequence: [UInt8]) {
        for prefix in ["", "abcdefg", "abcdefgh", #"\n"#] {
            let text = [UInt8(ascii: "\"")] + Array(prefix.utf8) + sequence + [UInt8(ascii: "\"")]
            #expect(throws: JSONError.invalidUTF8(offset: 1 + prefix.utf8.count)) { try JSON(parsing: text) }
            let unfinished = [UInt8(ascii: "\"")] + Array(prefix.utf8) + sequence
            #expect(throws: JSONError.self) { try JSON(parsing: unfinished) }
        }
    }

    @Test func nestingIsLimited() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try JSON(parsing: nested(100))
        #expect(throws: JSONError.tooDeep(limit: 100)) { try JSON(parsing: nested(101)) }
        let objects = String(repeating: #"{"a":"#, count: 101) + "1" + String(repeating: "}", count: 101)
        #expect(throws: JSONError.tooDeep(limit: 100)) { try JSON(parsing: objects) }
        // A bomb is refused as soon as it is too deep, whatever follows.
        #expect(throws: JSONError.tooDeep(limit: 100)) { try JSON(parsing: String(repeating: "[", count: 1_000_000)) }
        // Depth is nesting, not number.
        _ = try JSON(parsing: "[" + Array(repeating: "[]", count: 1000).joined(separator: ",") + "]")
    }

    @Test(arguments: ["9007199254740991", "-9007199254740991", "0", "-0", "[1,{\"a\":-5}]"])
    func strictAccepts(text: String) throws {
        _ = try JSON(parsing: text, options: .canonical)
    }

    @Test(arguments: [
        ("9007199254740992", 0), ("-9007199254740992", 0), ("18446744073709551616", 0), ("1.0", 0), ("1e5", 0),
        ("[1,1.5]", 3), ("{\"a\":1E1}", 5), ("100000000000000000000000000000000000000", 0), ("-0.0", 0),
    ])
    func strictRejects(text: String, offset: Int) {
        #expect(throws: JSONError.numberNotAllowed(offset: offset)) { try JSON(parsing: text, options: .canonical) }
    }

    @Test func integers() throws {
        #expect(try JSON(parsing: "9007199254740991").int == 9_007_199_254_740_991)
        #expect(try JSON(parsing: "-9007199254740991").int == -9_007_199_254_740_991)
        #expect(try JSON(parsing: "-0").int == 0)
        #expect(try JSON(parsing: "9007199254740992").int == nil)
        #expect(try JSON(parsing: "9007199254740992").wideInt == 9_007_199_254_740_992)
        #expect(try JSON(parsing: "9223372036854775807").wideInt == Int64.max)
        #expect(try JSON(parsing: "-9223372036854775808").wideInt == Int64.min)
        #expect(try JSON(parsing: "9223372036854775808").wideInt == nil)
        #expect(try JSON(parsing: "1.0").int == nil)
        #expect(try JSON(parsing: "1.0").wideInt == nil)
        #expect(try JSON(parsing: "1.5").double == 1.5)
        #expect(try JSON(parsing: "\"1\"").int == nil)
    }

    @Test func normalFormsAreDistinctNames() throws {
        let json = try JSON(parsing: "{\"\u{e9}\":1,\"e\u{301}\":2}")
        #expect(json["\u{e9}"]?.int == 1)
        #expect(json["e\u{301}"]?.int == 2)
        #expect(json.value["\u{e9}"]?.int == 1)
        #expect(json.value["e\u{301}"]?.int == 2)
        #expect(json.count == 2)
    }

    @Test func manyKeysWithADuplicateAmongThem() throws {
        for count in [2, 12, 13, 24, 64, 200, 5000] {
            let names = (0..<count).map { "key\($0 &* 7919 % 100_003)" }
            let distinct = "{" + names.map { "\"\($0)\":0" }.joined(separator: ",") + "}"
            #expect(try JSON(parsing: distinct).count == count)
            let twice = "{" + (names + [names[count / 2]]).map { "\"\($0)\":0" }.joined(separator: ",") + "}"
            let offset = twice.utf8.count - "\(names[count / 2])\":0}".utf8.count
            #expect(throws: JSONError.duplicateKey(offset: offset)) { try JSON(parsing: twice) }
        }
    }

    @Test func strings() throws {
        #expect(try JSON(parsing: #""\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00""#).string == "\"\\/\u{8}\u{c}\n\r\tAé😀")
        #expect(try JSON(parsing: #""\u0000""#).string == "\0")
        // Every length around the eight bytes that are looked at together, with what ends the run at every place.
        for length in 0...20 {
            let text = String(repeating: "x", count: length)
            #expect(try JSON(parsing: "\"\(text)\"").string == text)
            #expect(try JSON(parsing: "[\"\(text)\\n\",1]").elements.first { _ in true }?.string == text + "\n")
            #expect(try JSON(parsing: "[\"\(text)é\"]").elements.first { _ in true }?.string == text + "é")
        }
    }

    @Test func looksUpMembersAndElements() throws {
        let json = try JSON(parsing: #" {"a":[1,{"b":null},"x"],"c":{"d":false},"e\n":3} "#)
        #expect(json["a"]?.count == 3)
        #expect(json["a"]?.elements.map(\.kind) == [.number, .object, .string])
        #expect(json["c"]?["d"]?.bool == false)
        #expect(json["e\n"]?.int == 3)
        #expect(json["missing"] == nil)
        #expect(json["a"]?["b"] == nil)
        #expect(json.members.map(\.name) == ["a", "c", "e\n"])
        #expect(json["a"].map { String(decoding: $0.bytes, as: UTF8.self) } == #"[1,{"b":null},"x"]"#)
        #expect(json.elements.map(\.kind).isEmpty)
    }

    @Test func detachedValuesStandAlone() throws {
        let json = try JSON(parsing: #"{"pdus":[{"a":[1,2]},{"b":{"c":"d\n"},"a":"é"}],"x":1}"#)
        let detached = try #require(json["pdus"]?.elements.map { $0.detached() })
        #expect(
            detached.map { String(decoding: $0.document.bytes, as: UTF8.self) } == [
                #"{"a":[1,2]}"#, #"{"b":{"c":"d\n"},"a":"é"}"#,
            ])
        #expect(detached.map(\.value) == json["pdus"]?.elements.map(\.value))
        #expect(CanonicalJSON.text(of: detached[1]) == Array(#"{"a":"é","b":{"c":"d\n"}}"#.utf8))
        #expect(try JSON(parsing: #"["x"]"#).elements.map { $0.detached().string } == ["x"])
    }
}
