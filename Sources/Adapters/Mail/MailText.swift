import Homeserver
import Matrix

/// A mail as it goes over the wire.
///
/// [RFC 5322](https://www.rfc-editor.org/rfc/rfc5322), parts of text in base64, so that no line is too long and no dot too many.
enum MailText {
    /// The whole message, with CRLF at the ends of lines.
    ///
    /// - Parameters:
    ///   - mail: The message.
    ///   - sender: The sender's address.
    ///   - identifier: What no other message has: letters and digits.
    ///   - now: The time, in milliseconds since 1970.
    static func of(_ mail: Mail, from sender: EmailAddress, identifier: String, now: Int64) -> [UInt8] {
        var head = [
            "From: \(sender)", "To: \(mail.recipient)", "Subject: \(encodedWord(mail.subject))", "Date: \(date(now))",
            "Message-ID: <\(identifier)@\(sender.domain)>", "MIME-Version: 1.0",
            // Nobody wants to know that the recipient is on holiday.
            "Auto-Submitted: auto-generated",
        ]
        // A line has 998 bytes at most; that of who has the longest of all names and addresses stands in the text only.
        if let address = mail.unsubscribe, address.utf8.count <= 900 {
            // RFC 8058: mail programs have a button for it.
            head += ["List-Unsubscribe: <\(address)>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"]
        }
        let text = part("text/plain", mail.text)
        guard let html = mail.html else { return Array((head.joined(separator: "\r\n") + "\r\n" + text).utf8) }
        // Base64 has no "=" before its end, and no line of it begins with "--".
        let boundary = "=_\(identifier)"
        head.append("Content-Type: multipart/alternative; boundary=\"\(boundary)\"")
        let body = [text, part("text/html", html)].map { "--\(boundary)\r\n\($0)" }.joined(separator: "\r\n")
        return Array((head.joined(separator: "\r\n") + "\r\n\r\n\(body)\r\n--\(boundary)--\r\n").utf8)
    }

    /// A text with the lines that say what it is.
    private static func part(_ type: String, _ content: String) -> String {
        var text = "Content-Type: \(type); charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        let lines = content.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
        var rest = Base64.padded(Array(lines.utf8))[...]
        while !rest.isEmpty {
            text += rest.prefix(76) + "\r\n"
            rest = rest.dropFirst(76)
        }
        return text
    }

    /// [RFC 2047](https://www.rfc-editor.org/rfc/rfc2047), where it is needed.
    private static func encodedWord(_ text: String) -> String {
        if text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }), text.utf8.count <= 65 { return text }
        var words: [String] = []
        var piece = ""
        for scalar in text.unicodeScalars where scalar.value >= 0x20 {
            if piece.utf8.count >= 36 {
                words.append(piece)
                piece = ""
            }
            piece.unicodeScalars.append(scalar)
        }
        words.append(piece)
        return words.map { "=?utf-8?B?\(Base64.padded(Array($0.utf8)))?=" }.joined(separator: "\r\n ")
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]

    /// The date in UTC, by the calendar of
    /// [days since 1970](https://howardhinnant.github.io/date_algorithms.html#civil_from_days).
    static func date(_ milliseconds: Int64) -> String {
        let seconds = max(0, milliseconds / 1_000)
        let days = seconds / 86_400
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let time = [seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60].map(two).joined(separator: ":")
        return "\(weekdays[Int(days % 7)]), \(day) \(months[Int(month) - 1]) \(year) \(time) +0000"
    }
}

extension Base64 {
    /// The text for `bytes`, padded, as mail wants it.
    static func padded(_ bytes: [UInt8]) -> String {
        let text = encode(bytes)
        return text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
    }
}
