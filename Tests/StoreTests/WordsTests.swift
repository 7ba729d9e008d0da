import Store
import Testing

/// How texts are cut into words.
@Suite struct WordsTests {
    @Test(arguments: [
        ("Hello, World!", ["hello", "world"]),
        ("it's 42°", ["it", "s", "42"]),
        ("Straße_ΑΘΉΝΑ", ["straße", "αθήνα"]),
        ("e\u{301}tude", ["e\u{301}tude"]),
        ("今天 ok天", ["今", "天", "ok", "天"]),
        ("", []), ("🎉 !?", []), ("\u{0}a\u{0}", ["a"]),
    ])
    func wordsAreSmallLettersAndDigits(text: String, words: [String]) {
        #expect(Words.words(of: text).map { Array($0.utf8) } == words.map { Array($0.utf8) })
    }

    @Test func wordsAreCutAndCounted() {
        let long = String(repeating: "x", count: 200)
        #expect(Words.words(of: long) == [String(repeating: "x", count: Words.maximumLength)])
        #expect(Words.words(of: "a b c d", limit: 2) == ["a", "b"])
        #expect(Words.words(of: "天天天", limit: 2).count == 2)
    }
}
