import Homeserver
import Matrix

extension Configuration.Mail {
    /// What the section `mail` says; `nil` if no mail is sent.
    init?(_ node: ConfigurationNode, serverName: ServerName?) {
        let hasServer = node.has("smtp")
        let smtp = node.mapping("smtp")
        host = hasServer ? smtp.requiredString("host") : ""
        let isSameMachine = ["localhost", "127.0.0.1", "::1"].contains(host)
        // Mail holds links that make an account somebody's: in the clear it does not leave the machine unless that is asked for.
        encryption = smtp.choice("encryption", default: isSameMachine ? .opportunistic : .required)
        port = smtp.int("port", in: 1...65_535, default: encryption == .implicit ? 465 : 587)
        trustedCA = smtp.string("trusted_ca")
        user = smtp.string("user")
        password = smtp.string("password")
        passwordFile = smtp.string("password_file")
        if password != nil, passwordFile != nil { smtp.refuse("password", "is there beside password_file") }
        if user == nil, password != nil || passwordFile != nil { smtp.refuse("password", "needs a user") }
        if user != nil, password == nil, passwordFile == nil {
            smtp.refuse("user", "needs a password or password_file")
        }
        if user != nil, encryption == .none || encryption == .opportunistic {
            smtp.refuse("user", "needs encryption: required or implicit; passwords are not sent in the clear")
        }
        smtp.finish()

        let written = node.string("from")
        // A server that is named by its address has no domain that mail could come from.
        let address = EmailAddress(written ?? "noreply@\(serverName?.host ?? "")")
        if written != nil, address == nil { node.refuse("from", "is no mail address") }
        notifications = Self.notifications(node.mapping("notifications"))
        node.finish()
        guard let sender = address ?? EmailAddress("noreply@localhost"), hasServer else { return nil }
        from = sender
    }

    private static func notifications(_ node: ConfigurationNode) -> MailSchedule? {
        let isOn = node.bool("enabled", default: true)
        func milliseconds(_ name: String, from least: Int, default seconds: Int) -> Int64 {
            1_000 * Int64(node.int(name, in: least...2_592_000, default: seconds))
        }
        let schedule = MailSchedule(
            delayMilliseconds: milliseconds("delay_seconds", from: 0, default: 600),
            pauseMilliseconds: milliseconds("pause_seconds", from: 1, default: 600),
            longestPauseMilliseconds: milliseconds("longest_pause_seconds", from: 1, default: 86_400))
        node.finish()
        return isOn ? schedule : nil
    }
}
