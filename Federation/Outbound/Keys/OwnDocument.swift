import FederationWire
import Homeserver
import Matrix
import Synchronization

/// This server's own key document: signed once, and given out until half of its time is over or the keys change.
final class OwnDocument: Sendable {
    private struct Cached {
        let keyIDs: [SigningKeyID]
        let madeTS: Int64
        let bytes: [UInt8]
    }

    private let serverName: ServerName
    private let keys: SigningKeyring
    private let cached = Mutex<Cached?>(nil)

    /// A day: so long others believe the document without asking again.
    static let validityMilliseconds: Int64 = 24 * 60 * 60 * 1000

    init(serverName: ServerName, keys: SigningKeyring) {
        self.serverName = serverName
        self.keys = keys
    }

    func bytes(now: Int64) throws(SigningError) -> [UInt8] {
        let file = keys.keys
        let keyIDs = file.keys.map(\.keyID) + file.retired.map(\.keyID)
        if let cached = cached.withLock({ $0 }), cached.keyIDs == keyIDs, cached.madeTS <= now,
            now - cached.madeTS < Self.validityMilliseconds / 2
        {
            return cached.bytes
        }
        let bytes = try KeyDocument.make(
            serverName: serverName, keys: file.keys,
            oldKeys: Dictionary(
                file.retired.map { ($0.keyID, KeyDocument.OldKey(key: $0.publicKey, expiredTS: $0.expiredTS)) }
            ) { first, _ in first },
            validUntilTS: now + Self.validityMilliseconds
        )
        cached.withLock { $0 = Cached(keyIDs: keyIDs, madeTS: now, bytes: bytes) }
        return bytes
    }
}
