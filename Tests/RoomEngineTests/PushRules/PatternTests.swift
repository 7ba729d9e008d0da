import Matrix
import Testing

@testable import RoomEngine

@Suite struct PatternTests {
    @Test func wholeValues() {
        let cases: [(String, String, Bool)] = [
            ("lunc?*", "Lunch plans", true), ("lunc?*", "LUNCH", true), ("lunc?*", " lunch", false),
            ("lunc?*", "lunc", false), ("*", "", true), ("", "", true), ("", "a", false), ("?", "", false),
            ("?", "é", true), ("??", "é", false), ("a*b*c", "aXbYc", true), ("a*b*c", "abcd", false),
            ("**a", "bba", true), ("a.c", "abc", false), ("[a]", "a", false), ("[a]", "[A]", true), ("É*", "été", true),
            ("m.room.member", "m.room.member", true), ("m.room.member", "m.room.membership", false),
        ]
        for (pattern, text, expected) in cases {
            #expect(GlobPattern(pattern).matches(text) == expected, "\(pattern) in \(text)")
        }
    }

    @Test func wordsInABody() {
        let cases: [(String, String, Bool)] = [
            ("ex*ple", "An example event.", true), ("ex*ple", "exple", true),
            ("ex*ple", "An exciting triple-whammy", true), ("ex*ple", "examples", false), ("cake", "a CAKE!", true),
            ("cake", "cakes", false), ("cake", "pancake", false), ("cake", "cake_", false),
            ("cake", "x cakes, cake", true),
            ("cake", "café-cake", true), ("cake", "écakeé", true), ("@room", "hello @room", true),
            ("@room", "hi@room", true),
            ("@room", "@rooms", false), ("c?ke", "coke", true), ("c?ke", "ccoke", false),
            ("cake*lie", "cake is a lie", true),
            ("cake*lie", "the cake is a lie!", true), ("cake*lie", "cake is a lies", false), ("*", "anything", true),
            ("a b", "x a b y", true), ("a b", "xa b", false), ("d*", "a day", true),
        ]
        for (pattern, text, expected) in cases {
            #expect(GlobPattern(pattern).matchesWords(in: FoldedText(text)) == expected, "\(pattern) in \(text)")
        }
    }

    @Test func hostilePatternsTakeNoExponentialTime() {
        let pattern = GlobPattern(String(repeating: "a*", count: 40) + "b")
        #expect(!pattern.matches(String(repeating: "a", count: 2000)))
        #expect(!pattern.matchesWords(in: FoldedText(String(repeating: "a ", count: 1000))))
    }

    @Test func paths() {
        let cases: [(String, [String])] = [
            ("content.body", ["content", "body"]), ("content.m\\.relates_to", ["content", "m.relates_to"]),
            ("content.m\\\\foo", ["content", "m\\foo"]), ("a\\x.b", ["a\\x", "b"]), ("a\\", ["a\\"]), ("", [""]),
            ("a..b", ["a", "", "b"]), ("type", ["type"]),
        ]
        for (path, names) in cases { #expect(PropertyPath.split(path) == names, "\(path)") }
        for names in [["content", "m.a\\b"], ["x"]] { #expect(PropertyPath.split(PropertyPath.join(names)) == names) }
    }
}
