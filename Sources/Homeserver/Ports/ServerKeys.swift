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

    /// The keys by which a server signs requests now, as far as they can be had: keys that it no longer uses are none of them, although
    /// what they have signed before still counts.
    ///
    /// - Parameters:
    ///   - wanted: The keys asked for.
    ///   - server: Whose keys.
    ///   - now: The time, in milliseconds since 1970.
    func keysInUse(_ wanted: Set<SigningKeyID>, of server: ServerName, now: Int64) async -> [SigningKeyID: VerifyKey]

    /// Gets to know a server's keys if none are known: soon something that it has signed will have to be checked.
    func prepare(for server: ServerName) async
}

extension ServerKeys {
    /// Nothing, where keys are at hand.
    public func prepare(for server: ServerName) async {}

    /// Those valid at that time.
    public func keysInUse(
        _ wanted: Set<SigningKeyID>, of server: ServerName, now: Int64
    ) async -> [SigningKeyID: VerifyKey] {
        await keys([server: Dictionary(uniqueKeysWithValues: wanted.map { ($0, now) })])[server] ?? [:]
    }
}

/// The key documents that this server gives out: its own, and as a notary those of others.
public protocol KeyPublication: Sendable {
    /// This server's own document, signed.
    ///
    /// - Throws: If it cannot be signed.
    func ownDocument() throws -> [UInt8]

    /// Other servers' documents, each countersigned by this server: those at hand, or else fetched, within bounds. A server that cannot
    /// be reached and of which nothing is known is not in the answer.
    ///
    /// - Throws: If nothing can be read or signed.
    func documents(_ wanted: [ServerName: WantedKeys]) async throws -> [[UInt8]]
}

/// What a document should hold that a notary is asked for.
public struct WantedKeys: Sendable, Hashable {
    /// The keys that should be in it; none if all of the server's are wanted.
    public let keyIDs: Set<SigningKeyID>
    /// Until when it should be valid, in milliseconds since 1970.
    public let validUntilTS: Int64

    /// Keys wanted.
    public init(keyIDs: Set<SigningKeyID>, validUntilTS: Int64) {
        self.keyIDs = keyIDs
        self.validUntilTS = validUntilTS
    }
}
