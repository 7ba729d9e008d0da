import Homeserver
import Matrix
import Testing

@testable import Adapters

@Suite struct MailTextTests {
    private static let now: Int64 = 1_700_000_000_000

    private func lines(subject: String = "Hello", text: String = "Text") throws -> [String] {
        let mail = Mail(to: try #require(EmailAddress("bob@example.org")), subject: subject, text: text)
        let sender = try #require(EmailAddress("chappe@ministry.example"))
        let bytes = MailText.of(mail, from: sender, identifier: "id", now: Self.now)
        let whole = String(decoding: bytes, as: UTF8.self)
        #expect(whole.hasSuffix("\r\n"))
        #expect(!whole.replacing("\r\n", with: "").utf8.contains { $0 == 13 || $0 == 10 })
        return whole.split(separator: "\r\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    private func body(_ lines: [String]) throws -> String {
        let end = try #require(lines.firstIndex(of: ""))
        let encoded = lines[(end + 1)...].joined()
        return String(decoding: try #require(Base64.decode(encoded)), as: UTF8.self)
    }

    @Test func hasAHeadAndAText() throws {
        let lines = try lines(text: "One\n.\nDeux é\n")
        #expect(
            lines.prefix(9) == [
                "From: chappe@ministry.example", "To: bob@example.org", "Subject: Hello",
                "Date: Tue, 14 Nov 2023 22:13:20 +0000", "Message-ID: <id@ministry.example>", "MIME-Version: 1.0",
                "Auto-Submitted: auto-generated", "Content-Type: text/plain; charset=utf-8",
                "Content-Transfer-Encoding: base64",
            ])
        #expect(lines[9] == "")
        #expect(try body(lines) == "One\r\n.\r\nDeux é\r\n")
    }

    @Test func twoPartsAndAWayOut() throws {
        let mail = Mail(
            to: try #require(EmailAddress("bob@example.org")), subject: "Hello", text: "Text", html: "<p>é</p>",
            unsubscribe: "https://ministry.example/x")
        let sender = try #require(EmailAddress("chappe@ministry.example"))
        let text = String(decoding: MailText.of(mail, from: sender, identifier: "id", now: Self.now), as: UTF8.self)
        #expect(
            text.hasSuffix(
                """
                Auto-Submitted: auto-generated
                List-Unsubscribe: <https://ministry.example/x>
                List-Unsubscribe-Post: List-Unsubscribe=One-Click
                Content-Type: multipart/alternative; boundary="=_id"

                --=_id
                Content-Type: text/plain; charset=utf-8
                Content-Transfer-Encoding: base64

                VGV4dA==

                --=_id
                Content-Type: text/html; charset=utf-8
                Content-Transfer-Encoding: base64

                PHA+w6k8L3A+

                --=_id--

                """.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")))
    }

    @Test func noLineIsTooLongOrBeginsWithADot() throws {
        let lines = try lines(subject: String(repeating: "é", count: 300), text: String(repeating: ".", count: 5_000))
        #expect(lines.allSatisfy { $0.utf8.count <= 78 && $0.utf8.first != UInt8(ascii: ".") })
        #expect(try body(lines) == String(repeating: ".", count: 5_000))
    }

    @Test(arguments: ["a\r\nBcc: x@example.org", "a\nb", "a\rb", "a\0b", "a\u{7F}b", "\r\n\r\nbody"])
    func aSubjectIsALine(_ subject: String) throws {
        let lines = try lines(subject: subject)
        #expect(lines.firstIndex(of: "") == 9)
        #expect(!lines.contains { $0.hasPrefix("Bcc") })
    }

    @Test func aSubjectCanHaveAnyLetters() throws {
        let subject = "Confirmez votre adresse – 日本語 " + String(repeating: "é", count: 50)
        let lines = try lines(subject: subject)
        let first = try #require(lines.firstIndex { $0.hasPrefix("Subject: ") })
        var words = [String(lines[first].dropFirst(9))]
        for line in lines[(first + 1)...] {
            guard line.hasPrefix(" ") else { break }
            words.append(String(line.dropFirst()))
        }
        #expect(words.allSatisfy { $0.utf8.count <= 75 })
        let bytes = try words.flatMap { word -> [UInt8] in
            #expect(word.hasPrefix("=?utf-8?B?") && word.hasSuffix("?="))
            return try #require(Base64.decode(String(word.dropFirst(10).dropLast(2))))
        }
        #expect(String(decoding: bytes, as: UTF8.self) == subject)
    }

    @Test(
        arguments: [
            (0, "Thu, 1 Jan 1970 00:00:00 +0000"), (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (951_868_800_000, "Wed, 1 Mar 2000 00:00:00 +0000"), (1_735_689_599_999, "Tue, 31 Dec 2024 23:59:59 +0000"),
            (4_107_542_400_000, "Mon, 1 Mar 2100 00:00:00 +0000"),
        ] as [(Int64, String)])
    func dates(_ milliseconds: Int64, _ date: String) { #expect(MailText.date(milliseconds) == date) }
}
