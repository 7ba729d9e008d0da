import Database
import Matrix

/// What a cross-signing key is for, as the database has it. Never renumber.
///
/// [Cross-signing](https://spec.matrix.org/v1.19/client-server-api/#cross-signing).
public enum CrossSigningUsage: Int64, Sendable, Hashable, CaseIterable {
    /// Signs the user's other cross-signing keys.
    case master = 1
    /// Signs the user's own devices.
    case selfSigning = 2
    /// Signs other users' master keys; only its owner sees it.
    case userSigning = 3

    /// The name in a key's `usage`.
    public var name: String {
        switch self {
        case .master: "master"
        case .selfSigning: "self_signing"
        case .userSigning: "user_signing"
        }
    }
}

/// A user's cross-signing key.
public struct CrossSigningKeyRecord: Sendable {
    /// What it is for.
    public let usage: CrossSigningUsage
    /// The public key, unpadded Base64.
    public let publicKey: String
    /// The key as its client uploaded it, byte for byte.
    public let json: [UInt8]

    /// A key.
    public init(usage: CrossSigningUsage, publicKey: String, json: [UInt8]) {
        self.usage = usage
        self.publicKey = publicKey
        self.json = json
    }
}

/// Look-ups of cross-signing keys.
public struct CrossSigningKeyReader {
    let sql: ReadTransaction

    /// The cross-signing keys that a user has, at most one for each usage.
    public func keys(of user: UserNumber) throws -> [CrossSigningUsage: CrossSigningKeyRecord] {
        var keys: [CrossSigningUsage: CrossSigningKeyRecord] = [:]
        try sql.forEach("SELECT usage, public_key, json FROM cross_signing_keys WHERE user_num = $1", user) { row in
            guard let usage = CrossSigningUsage(rawValue: try row.int(0)) else {
                throw StoreError.inconsistent("unknown usage \(try row.int(0)) of a cross-signing key")
            }
            keys[usage] = CrossSigningKeyRecord(usage: usage, publicKey: try row.text(1), json: try row.blob(2))
        }
        return keys
    }
}

/// Stores cross-signing keys.
public struct CrossSigningKeyWriter {
    let writer: StoreWriter

    /// Sets a user's key of its usage. Signatures that the replaced key made, and those on it, go with it.
    ///
    /// The caller announces the change.
    public func set(_ key: CrossSigningKeyRecord, of user: UserNumber) throws {
        let replaced = try writer.sql.first(
            "SELECT public_key FROM cross_signing_keys WHERE user_num = $1 AND usage = $2", user, key.usage.rawValue
        ) { try $0.text(0) }
        if let replaced, !replaced.utf8.elementsEqual(key.publicKey.utf8) {
            try writer.sql.execute(
                "DELETE FROM key_signatures WHERE signer_num = $1 AND signer_key = $2", user, "ed25519:\(replaced)"
            )
            try writer.sql.execute(
                "DELETE FROM key_signatures WHERE target_num = $1 AND target_key = $2", user, replaced
            )
        }
        try writer.sql.execute(
            """
            INSERT INTO cross_signing_keys (user_num, usage, public_key, json) VALUES ($1, $2, $3, $4)
            ON CONFLICT (user_num, usage) DO UPDATE SET public_key = excluded.public_key, json = excluded.json
            """, user, key.usage.rawValue, key.publicKey, key.json
        )
    }
}

extension StoreReader {
    /// Cross-signing keys.
    public var crossSigningKeys: CrossSigningKeyReader { CrossSigningKeyReader(sql: sql) }
}

extension StoreWriter {
    /// Cross-signing keys.
    public var crossSigningKeys: CrossSigningKeyWriter { CrossSigningKeyWriter(writer: self) }
}
