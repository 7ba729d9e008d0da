import Matrix

/// Knows the keys by which other servers sign.
///
/// [Retrieving server keys](https://spec.matrix.org/v1.19/server-server-api/#retrieving-server-keys).
public protocol ServerKeys: Sendable {
    /// The keys that are wanted, as far as they can be had: from memory, the database, the server itself, or a notary.
    ///
    /// Never throws: a key that cannot be had is not in the answer, and what it has signed does not count.
    ///
    /// - Parameter wanted: For each server and key the latest time, in milliseconds since 1970, at which it must have been valid;
    ///   `nil` where that does not matter, as in old room versions.
    func keys(_ wanted: [ServerName: [SigningKeyID: Int64?]]) async -> [ServerName: [SigningKeyID: VerifyKey]]
}
