import Matrix
import Store

extension ErrorCode {
    /// A signature does not fit what it signs.
    public static let invalidSignature: ErrorCode = "M_INVALID_SIGNATURE"
}

/// A cross-signing key that has the shape it must have.
///
/// [Definition](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload).
struct CrossSigningKey: Sendable {
    /// What it is for.
    let usage: CrossSigningUsage
    /// The public key.
    let publicKey: VerifyKey
    /// Its name in signatures.
    let keyID: SigningKeyID
    /// The key as uploaded.
    let json: JSON

    /// The largest key, in bytes; there is room for the signatures of many devices.
    static let maximumBytes = 65_536

    /// A key of that user for that usage, or `nil` if it is none: it must have exactly one Ed25519 key, named after itself.
    init?(_ json: JSON, usage: CrossSigningUsage, owner: UserID) {
        guard json.isObject, json.bytes.count <= Self.maximumBytes,
            KeyText.isString(json["user_id"], owner.string),
            let usages = json["usage"], usages.elements.contains(where: { $0.string == usage.name }),
            let keys = json["keys"], keys.count == 1, let (name, key) = keys.members.first(where: { _ in true }),
            let keyID = SigningKeyID(name), keyID.isEd25519, let text = key.string,
            let publicKey = VerifyKey(base64: text), ExactString(keyID.name) == ExactString(publicKey.base64)
        else { return nil }
        if let signatures = json["signatures"] {
            guard signatures.isObject, signatures.members.allSatisfy({ $0.value.isObject }) else { return nil }
        }
        self.usage = usage
        self.publicKey = publicKey
        self.keyID = keyID
        self.json = json
    }

    /// The key as the store keeps it.
    var record: CrossSigningKeyRecord {
        CrossSigningKeyRecord(usage: usage, publicKey: publicKey.base64, json: Array(json.bytes))
    }

    /// A key of the store.
    init(stored record: CrossSigningKeyRecord, owner: UserID) throws {
        guard let key = CrossSigningKey(try KeyText.parse(record.json), usage: record.usage, owner: owner) else {
            throw StoreError.inconsistent("a stored cross-signing key of \(owner) is malformed")
        }
        self = key
    }
}
