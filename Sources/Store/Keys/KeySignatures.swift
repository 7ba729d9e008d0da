import Database
import Matrix

/// A signature that was uploaded after the key it signs.
public struct KeySignatureRecord: Sendable, Hashable {
    /// The device or the public key that is signed.
    public let target: ExactString
    /// Who signed it.
    public let signer: UserID
    /// With which key.
    public let keyID: SigningKeyID
    /// The signature, Base64.
    public let signature: String
}

/// Look-ups of signatures on keys.
public struct KeySignatureReader {
    let sql: ReadTransaction

    /// The signatures on a user's devices and cross-signing keys that `viewer` may see: the user's own, and the viewer's.
    ///
    /// [Key and signature security](https://spec.matrix.org/v1.19/client-server-api/#key-and-signature-security).
    public func signatures(onKeysOf user: UserNumber, seenBy viewer: UserNumber?) throws -> [KeySignatureRecord] {
        try sql.all(
            """
            SELECT s.target_key, u.user_id, s.signer_key, s.signature FROM key_signatures AS s
            JOIN users AS u ON u.num = s.signer_num
            WHERE s.target_num = $1 AND s.signer_num IN ($1, $2) ORDER BY s.target_key, s.signer_num, s.signer_key
            """, user, viewer ?? user
        ) { row in
            KeySignatureRecord(
                target: ExactString(try row.text(0)), signer: try row.identifier(1), keyID: try row.identifier(2),
                signature: try row.text(3)
            )
        }
    }
}

/// Stores signatures on keys.
public struct KeySignatureWriter {
    let writer: StoreWriter

    /// Stores a signature that has been verified.
    ///
    /// - Returns: Whether it was not there before. The caller announces the change.
    public func insert(
        _ signature: String, by signer: UserNumber, _ keyID: SigningKeyID, on target: String, of user: UserNumber
    ) throws -> Bool {
        try writer.sql.executeCounting(
            """
            INSERT INTO key_signatures (target_num, target_key, signer_num, signer_key, signature)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (target_num, target_key, signer_num, signer_key)
            DO UPDATE SET signature = excluded.signature WHERE key_signatures.signature <> excluded.signature
            """, user, target, signer, keyID, signature
        ) > 0
    }

    /// Removes the signatures that a device made and those on it: its keys have changed, or it is gone.
    public func deleteAll(of device: DeviceID, of user: UserNumber) throws {
        try writer.sql.execute("DELETE FROM key_signatures WHERE target_num = $1 AND target_key = $2", user, device)
        try writer.sql.execute(
            "DELETE FROM key_signatures WHERE signer_num = $1 AND signer_key = $2", user, "ed25519:\(device)"
        )
    }
}

extension SigningKeyID: SQLBindable {}

extension KeyAlgorithm: SQLBindable {}

extension StoreReader {
    /// Signatures on keys.
    public var keySignatures: KeySignatureReader { KeySignatureReader(sql: sql) }
}

extension StoreWriter {
    /// Signatures on keys.
    public var keySignatures: KeySignatureWriter { KeySignatureWriter(writer: self) }
}
