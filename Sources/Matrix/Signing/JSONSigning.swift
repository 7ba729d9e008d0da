/// Signatures on JSON objects that are not events: key documents, requests, third-party invites.
///
/// [Signing JSON](https://spec.matrix.org/v1.19/appendices/#signing-json).
public enum JSONSigning {
    /// What a signature covers: the canonical text without `signatures` and `unsigned`.
    public static func signedText(of json: JSON) -> [UInt8] {
        CanonicalJSON.text(of: json, omitting: ["signatures", "unsigned"])
    }

    /// The object with one more signature. Those it has are kept; one by the same server and key is replaced.
    public static func sign(
        _ object: JSONObject, as server: ServerName, key: SigningKey
    ) throws(SigningError) -> JSONObject {
        var object = object
        let signature = try key.sign(signedText(of: JSONValue.object(object).json))
        var signatures = object["signatures"] ?? [:]
        var own = signatures[server.string] ?? [:]
        own[key.keyID.string] = .string(Base64.encode(signature))
        signatures[server.string] = own
        object["signatures"] = signatures
        return object
    }

    /// The value with one more signature.
    ///
    /// - Throws: ``SigningError/notAnObject`` for anything but an object.
    public static func sign(
        _ value: JSONValue, as server: ServerName, key: SigningKey
    ) throws(SigningError) -> JSONValue {
        guard case .object(let object) = value else { throw .notAnObject }
        return .object(try sign(object, as: server, key: key))
    }

    /// Whether the object has a signature by that server with that key, and it is valid.
    public static func verify(_ json: JSON, server: ServerName, keyID: SigningKeyID, key: VerifyKey) -> Bool {
        verify(json, signer: server.string, keyID: keyID, key: key)
    }

    /// Whether the object has a signature by that entity (a server, a user, an identity server) with that key, and it is valid.
    public static func verify(_ json: JSON, signer: String, keyID: SigningKeyID, key: VerifyKey) -> Bool {
        guard keyID.isEd25519, let signature = signature(in: json, by: signer, keyID: keyID) else { return false }
        return key.verify(signature: signature, message: signedText(of: json))
    }

    /// The bytes of a signature that the object carries, or `nil` if there is none or it is not Base64.
    public static func signature(in json: JSON, by signer: String, keyID: SigningKeyID) -> [UInt8]? {
        json["signatures"]?[signer]?[keyID.string]?.string.flatMap(Base64.decode)
    }

    /// The Ed25519 keys by which that entity claims to have signed the object.
    public static func keyIDs(in json: JSON, by signer: String) -> [SigningKeyID] {
        guard let signatures = json["signatures"]?[signer] else { return [] }
        return signatures.members.compactMap { SigningKeyID($0.name) }.filter(\.isEd25519)
    }
}
