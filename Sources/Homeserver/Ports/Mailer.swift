/// A message to one person.
public struct Mail: Sendable, Hashable {
    /// Whom it goes to: an address that has been checked.
    public let recipient: EmailAddress
    /// The subject, a line.
    public let subject: String
    /// The text, lines.
    public let text: String

    /// A message.
    public init(to recipient: EmailAddress, subject: String, text: String) {
        self.recipient = recipient
        self.subject = subject
        self.text = text
    }
}

/// Sends mail.
public protocol Mailer: Sendable {
    /// Hands a message to the server that delivers it.
    ///
    /// - Throws: `MatrixError` 503 if that server does not take it now; 400 `M_INVALID_PARAM` if it never will.
    func send(_ mail: Mail) async throws
}
