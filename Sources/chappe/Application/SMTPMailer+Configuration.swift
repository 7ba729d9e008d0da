import Adapters
import Homeserver
import Logging

extension SMTPMailer {
    /// What sends mail as the configuration says; `nil` if none is sent.
    ///
    /// - Throws: ``CommandFailure`` if the file with the password cannot be read.
    convenience init?(_ configuration: Configuration, clock: any Clock, randomness: any Randomness) throws {
        guard let mail = configuration.mail else { return nil }
        let encryption: Encryption =
            switch mail.encryption {
            case .opportunistic: .opportunistic
            case .required: .required
            case .implicit: .implicit
            case .none: .none
            }
        var credentials: (user: String, password: String)?
        if let user = mail.user, let password = try ServerFiles.mailPassword(of: configuration) {
            credentials = (user, password)
        }
        self.init(
            server: Server(
                host: mail.host, port: mail.port, encryption: encryption,
                verifiesTLS: configuration.outbound.verifiesTLSOutsideFederation,
                trustedCA: mail.trustedCA.map(configuration.path), credentials: credentials
            ),
            sender: mail.from, serverName: configuration.serverName, clock: clock, randomness: randomness,
            logger: Logger(label: "chappe.mail")
        )
    }
}
