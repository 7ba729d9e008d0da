import Matrix
import Store

/// The mails with which users show that an address is theirs.
struct AddressMail: Sendable {
    /// Where the link in a mail leads.
    static let path = "/_matrix/client/unstable/chappe/confirm_mail"

    let serverName: ServerName
    let baseURL: String

    /// A mail with the link that confirms an address.
    func link(
        to address: EmailAddress, _ validation: AddressValidation, _ token: String, _ purpose: AddressService.Purpose
    ) -> Mail {
        let secret = validation.clientSecret.replacing("=", with: "%3D")
        let link = "\(baseURL)\(Self.path)?sid=\(validation.sid)&client_secret=\(secret)&token=\(token)"
        let what =
            switch purpose {
            case .register: "make an account with this address"
            case .add: "add this address to an account"
            case .password: "set a new password for the account with this address"
            }
        return Mail(
            to: address, subject: "Confirm your address for \(serverName)",
            text: """
                Somebody, you hopefully, wants to \(what) on \(serverName).
                To confirm that it is you, open this page within an hour:

                \(link)

                Of several such mails the newest counts. If it was not you, do nothing.
                """
        )
    }

    /// A mail to whoever wants a new password with an address that has none to reset.
    func noAccount(to address: EmailAddress) -> Mail {
        Mail(
            to: address, subject: "No account with this address on \(serverName)",
            text: """
                Somebody, you perhaps, wants to set a new password on \(serverName) for the account with this address.
                But there is no account whose password this address could replace. If you have one there, try with another address.

                If it was not you, do nothing.
                """
        )
    }
}
