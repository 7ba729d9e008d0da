import FederationWire
import Homeserver
import Matrix

/// Fetches key documents from where they are published.
public protocol KeySource: Sendable {
    /// The document that a server gives out itself, unverified.
    func keyDocument(of server: ServerName) async throws(RemoteServerFailure) -> JSON

    /// What a notary answers to a query, unverified.
    func askNotary(_ notary: ServerName, _ query: ServerKeyQuery) async throws(RemoteServerFailure) -> JSON
}
