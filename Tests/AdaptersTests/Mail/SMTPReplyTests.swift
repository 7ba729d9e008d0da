import Testing

@testable import Adapters

@Suite struct SMTPReplyTests {
    private func replies(_ text: String, chunk: Int = 1_000_000) throws -> [SMTPReply] {
        var parser = SMTPReplyParser()
        var replies: [SMTPReply] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: chunk) {
            try parser.append(bytes[start..<min(bytes.count, start + chunk)])
            while let reply = try parser.next() { replies.append(reply) }
        }
        return replies
    }

    @Test(arguments: [1, 2, 3, 7, 1_000])
    func arePutTogetherFromPieces(_ chunk: Int) throws {
        let text = "220 hello\r\n250-one\r\n250-STARTTLS\r\n250 three\r\n250\r\n354 \n"
        #expect(
            try replies(text, chunk: chunk) == [
                SMTPReply(code: 220, lines: ["hello"]), SMTPReply(code: 250, lines: ["one", "STARTTLS", "three"]),
                SMTPReply(code: 250, lines: [""]), SMTPReply(code: 354, lines: [""]),
            ])
    }

    @Test func knowsWhatIsLeftOver() throws {
        var parser = SMTPReplyParser()
        #expect(parser.isEmpty)
        try parser.append("220 go on\r\n".utf8)
        #expect(!parser.isEmpty)
        _ = try parser.next()
        #expect(parser.isEmpty)
        try parser.append("250-half\r\n".utf8)
        #expect(try parser.next() == nil)
        #expect(!parser.isEmpty)
        var another = SMTPReplyParser()
        try another.append("2".utf8)
        #expect(!another.isEmpty)
    }

    @Test(
        arguments: [
            "hello\r\n", "\r\n", "22\r\n", "199 x\r\n", "600 x\r\n", "2200 x\r\n", "220x\r\n", "+20 x\r\n", "-20 x\r\n",
            " 220 x\r\n", "2\u{662}0 x\r\n", "250-a\r\n220 b\r\n", String(repeating: "250-x\r\n", count: 201),
            String(repeating: "2", count: 70_000),
        ])
    func refuses(_ text: String) { #expect(throws: SMTPReplyParser.Malformed.self) { try replies(text) } }
}
