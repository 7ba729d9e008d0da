import FederationWire
import Homeserver
import Matrix

/// Carries transactions to other servers: one attempt each, no retries.
public protocol TransactionTransport: Sendable {
    /// Sends a transaction.
    ///
    /// - Parameters:
    ///   - id: Names the transaction. The receiver takes another with the same name for a repetition.
    /// - Returns: What the receiver found wrong with single events; they count as delivered.
    /// - Throws: ``RemoteServerFailure`` if the transaction as a whole did not arrive.
    func send(
        _ transaction: FederationTransaction, id: String, to server: ServerName
    ) async throws(RemoteServerFailure) -> [EventID: String]
}
