import Matrix

/// The mail that says that an account is about to end, and renews it.
public struct ValidityLetter: Sendable {
    /// Where the link in it leads.
    public static let path = "/_synapse/client/email_account_validity/renew"

    private let serverName: ServerName
    private let baseURL: String
    private let subject: String

    /// - Parameters:
    ///   - serverName: This server, as people know it.
    ///   - baseURL: Where browsers reach it, without a slash at the end.
    ///   - subject: The subject; one of its own if `nil`.
    public init(serverName: ServerName, baseURL: String, subject: String? = nil) {
        self.serverName = serverName
        self.baseURL = baseURL
        self.subject = subject ?? "Renew your account on \(serverName)"
    }

    /// A reminder.
    ///
    /// - Parameters:
    ///   - address: Whom it goes to.
    ///   - name: What they are called.
    ///   - end: When the account ends, in milliseconds since 1970.
    ///   - now: The time, in milliseconds since 1970.
    ///   - token: What renews it.
    ///   - isLink: Whether a link does; else the token has to be typed.
    func reminder(
        to address: EmailAddress, _ name: String, end: Int64, now: Int64, _ token: String, isLink: Bool
    ) -> Mail {
        let what = end <= now ? "ended on" : "ends on"
        let how =
            isLink
            ? "To go on using it, open this page:\n\n\(baseURL)\(Self.path)?token=\(token)"
            : "To go on using it, give this number to your client:\n\n\(token)"
        return Mail(
            to: address, subject: subject,
            text: """
                Hello \(name.split(whereSeparator: \.isNewline).joined(separator: " ")),

                your account on \(serverName) \(what) \(Self.day(end)) unless you renew it.
                \(how)

                Of several such mails the newest counts. Your messages are kept either way; without renewing it you cannot read them.
                """)
    }

    /// A day in UTC, as 2026-11-26.
    ///
    /// - Parameter time: Milliseconds since 1970.
    public static func day(_ time: Int64) -> String {
        // Days since 1 March of the year 0: leap days come last.
        let days = Int64((Double(time) / 86_400_000).rounded(.down)) + 719_468
        let era = (days >= 0 ? days : days - 146_096) / 146_097
        let ofEra = days - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func padded(_ value: Int64, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }
}
