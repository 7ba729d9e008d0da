import Matrix

/// The limits that received transactions are held to.
///
/// [Transactions](https://spec.matrix.org/v1.19/server-server-api/#transactions)
public enum ReceivedTransactionLimits {
    /// The most events in a transaction.
    public static let pdus = 50
    /// The most ephemeral messages in a transaction.
    public static let edus = 100
}
