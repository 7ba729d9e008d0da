/// A message to one person.
public struct Mail: Sendable, Hashable {
    /// Whom it goes to: an address that has been checked.
    public let recipient: EmailAddress
    /// The subject, a line.
    public let subject: String
    /// The text, lines.
    public let text: String
    /// The same as HTML, if it is written so too.
    public let html: String?
    /// Where who gets it says that they want no more of the kind, with a POST and no questions: an address in ASCII.
    public let unsubscribe: String?

    /// A message.
    public init(
        to recipient: EmailAddress, subject: String, text: String, html: String? = nil, unsubscribe: String? = nil
    ) {
        self.recipient = recipient
        self.subject = subject
        self.text = text
        self.html = html
        self.unsubscribe = unsubscribe
    }
}

/// Sends mail.
public protocol Mailer: Sendable {
    /// Hands a message to the server that delivers it.
    ///
    /// - Throws: `MatrixError` 503 if that server does not take it now; 400 `M_INVALID_PARAM` if it never will.
    func send(_ mail: Mail) async throws
}
