import Matrix

/// The proof that a user owns the third-party identifier that was invited.
///
/// [Verifying the invite](https://spec.matrix.org/v1.19/server-server-api/#verifying-the-invite).
public enum ThirdPartySignature {
    /// A key that has signed, and where it can be asked whether the key still counts.
    public struct Use: Sendable, Hashable {
        /// The key, as the `m.room.third_party_invite` has it.
        public let key: String
        /// Where its identity server says whether it is valid; `nil` if it always is.
        public let validityURL: String?
    }

    /// The keys of an `m.room.third_party_invite` by which `signed` is signed.
    ///
    /// - Parameters:
    ///   - signed: What the identity server has signed.
    ///   - invite: The content of the event.
    public static func uses(_ signed: JSON, keysOf invite: JSON) -> [Use] {
        let keys = [invite] + (invite["public_keys"]?.elements.map { $0 } ?? [])
        return keys.compactMap { entry in
            guard let text = entry["public_key"]?.string, let key = key(text), isSigned(signed, by: key) else {
                return nil
            }
            return Use(key: text, validityURL: entry["key_validity_url"]?.string)
        }
    }

    private static func isSigned(_ signed: JSON, by key: VerifyKey) -> Bool {
        for (signer, own) in signed["signatures"]?.members ?? JSON.emptyObject.members {
            for keyID in own.members.compactMap({ SigningKeyID($0.name) })
            where JSONSigning.verify(signed, signer: signer, keyID: keyID, key: key) { return true }
        }
        return false
    }

    /// Whether any signature on `signed`, whoever it names as signer, is by one of the keys in an `m.room.third_party_invite`.
    static func holds(_ signed: JSON, keysOf invite: JSON) -> Bool { !uses(signed, keysOf: invite).isEmpty }

    private static func key(_ text: String) -> VerifyKey? {
        VerifyKey(base64: text) ?? Base64.decodeURLSafe(text).flatMap { VerifyKey($0) }
    }
}
