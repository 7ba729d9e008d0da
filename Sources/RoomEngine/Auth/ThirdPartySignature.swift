import Matrix

/// The proof that a user owns the third-party identifier that was invited.
///
/// [Verifying the invite](https://spec.matrix.org/v1.19/server-server-api/#verifying-the-invite).
enum ThirdPartySignature {
    /// Whether any signature on `signed`, whoever it names as signer, is by one of the keys in an `m.room.third_party_invite`.
    static func holds(_ signed: JSON, keysOf invite: JSON) -> Bool {
        let keys = publicKeys(of: invite)
        guard !keys.isEmpty, let signatures = signed["signatures"] else { return false }
        for (signer, own) in signatures.members {
            for keyID in own.members.compactMap({ SigningKeyID($0.name) }) {
                for key in keys where JSONSigning.verify(signed, signer: signer, keyID: keyID, key: key) { return true }
            }
        }
        return false
    }

    private static func publicKeys(of invite: JSON) -> [VerifyKey] {
        var texts: [String] = []
        if let key = invite["public_key"]?.string { texts.append(key) }
        for element in invite["public_keys"]?.elements ?? JSON.emptyObject.elements {
            if let key = element["public_key"]?.string { texts.append(key) }
        }
        return texts.compactMap { VerifyKey(base64: $0) ?? Base64.decodeURLSafe($0).flatMap { VerifyKey($0) } }
    }
}
