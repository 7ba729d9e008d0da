import Crypto
import Database

/// The SHA-256 of a secret, which is all that the database and the caches know of it.
public struct TokenHash: Sendable, Hashable, SQLBindable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// The hash of a secret.
    public init(of secret: String) {
        var secret = secret
        let digest = secret.withUTF8 { SHA256.hash(data: UnsafeRawBufferPointer($0)) }
        words = digest.withUnsafeBytes { bytes in
            let word = { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }
            return (word(0), word(1), word(2), word(3))
        }
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { withUnsafeBytes(of: words) { Array($0) } }

    /// Always a blob.
    public static var sqlType: SQLType { .blob }
    /// The 32 bytes.
    public var sqlValue: SQLValue { .blob(bytes) }

    /// Whether two hashes are the same.
    public static func == (left: TokenHash, right: TokenHash) -> Bool { left.words == right.words }
    /// A cryptographic hash needs no mixing beyond the table's own.
    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}
