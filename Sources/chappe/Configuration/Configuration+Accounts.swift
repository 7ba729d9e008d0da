import Homeserver
import Matrix

extension Configuration {
    /// The service that users sign in at, in this server's place.
    struct AuthenticationService: Sendable {
        /// Its base URL, without a slash at the end.
        var endpoint: String
        /// What it and this server know each other by.
        var secret: SecretText

        /// What the section says; `nil` if there is no such service.
        init?(_ node: ConfigurationNode) {
            let isEnabled = node.bool("enabled", default: false)
            let url = node.string("endpoint") ?? ""
            endpoint = url.hasSuffix("/") ? String(url.dropLast()) : url
            let written = node.string("secret")
            let file = node.string("secret_path")
            secret = file.map { .file($0) } ?? .written(written ?? "")
            if isEnabled {
                if !url.hasPrefix("https://"), !url.hasPrefix("http://") {
                    node.refuse("endpoint", "must begin with https:// or http://")
                }
                if written == nil, file == nil { node.refuse("secret", "is missing: secret or secret_path") }
                if written != nil, file != nil { node.refuse("secret", "is there beside secret_path") }
                if let written, written.isEmpty { node.refuse("secret", "must not be empty") }
            }
            node.finish()
            if !isEnabled { return nil }
        }
    }

    /// How long accounts are valid, and what the mails' subject is; `nil` for ever.
    ///
    /// - Parameter node: The section `accounts`.
    static func validity(_ node: ConfigurationNode) -> (policy: AccountValidityPolicy, subject: String?)? {
        let validity = node.mapping("validity")
        let isEnabled = validity.bool("enabled", default: false)
        let longest = 3_153_600_000
        let period = validity.int("period_seconds", in: 1...longest, default: 15_552_000)
        let reminders = validity.ints("remind_before_seconds", in: 1...longest) ?? [2_592_000, 604_800, 86_400]
        if let earliest = reminders.max(), earliest >= period {
            validity.refuse("remind_before_seconds", "must be below period_seconds")
        }
        let domains = validity.strings("exempt_domains").compactMap { text -> String? in
            let domain = text.hasPrefix("*.") ? String(text.dropFirst(2)) : text
            guard let address = EmailAddress("somebody@\(domain)") else {
                validity.refuse("exempt_domains", "\(text) is neither a domain nor *. and a domain")
                return nil
            }
            return text.hasPrefix("*.") ? "*.\(address.domain)" : address.domain
        }
        let deactivation = validity.int("deactivate_after_seconds", in: 0...longest, default: 0)
        let policy = AccountValidityPolicy(
            periodMilliseconds: Int64(period) * 1_000, reminders: reminders.map { Int64($0) * 1_000 },
            sendsLinks: validity.bool("send_links", default: true), exemptDomains: domains,
            exemptUsers: validity.strings("exempt_users"),
            deactivationMilliseconds: deactivation == 0 ? nil : Int64(deactivation) * 1_000)
        let subject = validity.string("subject")
        if let subject, subject.isEmpty || subject.utf8.count > 200 || subject.contains(where: \.isNewline) {
            validity.refuse("subject", "must be a line of 1 to 200 bytes")
        }
        validity.finish()
        return isEnabled ? (policy, subject) : nil
    }

    /// How much is noted of what users read; `nil` if nothing is.
    ///
    /// - Parameter node: The section `audit`.
    static func reads(_ node: ConfigurationNode) -> ReadLog.Policy? {
        let reads = node.mapping("reads")
        let policy = ReadLog.Policy(
            retentionDays: reads.int("retention_days", in: 1...3_650, default: 90),
            maximumADay: Int64(reads.int("maximum_a_day", in: 1...1_000_000, default: 5_000)))
        let isEnabled = reads.bool("enabled", default: false)
        reads.finish()
        return isEnabled ? policy : nil
    }
}
