/// A service outside that knows who users are.
public protocol SingleSignOnProvider: Sendable {
    /// Its name in paths.
    var id: String { get }
    /// Its name for people.
    var name: String { get }

    /// Where a browser signs in, to come back to `service` with a ticket.
    func loginURL(returningTo service: String) -> String

    /// Whom a ticket was given to, by the name that the provider has for them; `nil` for a ticket that is not good.
    ///
    /// - Parameters:
    ///   - ticket: The ticket.
    ///   - service: What the ticket was asked for: the address that the browser came back to, without the ticket.
    /// - Throws: `MatrixError` 503 if the provider cannot be asked.
    func user(ticket: String, service: String) async throws -> String?
}
