import Matrix

/// The keys that a server publishes, as it has signed them.
///
/// [GET /_matrix/key/v2/server](https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2server).
public struct KeyDocument: Sendable {
    /// The largest document that is read, in bytes: some hundred keys.
    public static let maximumBytes = 32 << 10
    /// The most keys of one document, old ones included.
    public static let maximumKeys = 200

    /// A key that is no longer used.
    public struct OldKey: Sendable, Hashable {
        /// The key.
        public let key: VerifyKey
        /// When its server stopped using it, in milliseconds since 1970.
        public let expiredTS: Int64

        /// A key.
        public init(key: VerifyKey, expiredTS: Int64) {
            self.key = key
            self.expiredTS = expiredTS
        }
    }

    /// Whose keys they are.
    public let serverName: ServerName
    /// The keys in use: for requests and for events.
    public let verifyKeys: [SigningKeyID: VerifyKey]
    /// The keys that were in use: for events up to their expiry.
    public let oldVerifyKeys: [SigningKeyID: OldKey]
    /// Until when the server vouches for the keys in use, in milliseconds since 1970. Whoever relies on it goes no further than
    /// ``maximumValidityMilliseconds`` from when the document was fetched.
    public let validUntilTS: Int64
    /// The whole document, with its signatures.
    public let json: JSON

    /// How far into the future a document is believed: seven days.
    public static let maximumValidityMilliseconds: Int64 = 7 * 24 * 60 * 60 * 1000

    /// The text.
    public var bytes: ArraySlice<UInt8> { json.bytes }

    /// Reads a document and verifies that it is signed by keys that it lists as in use.
    ///
    /// A signature by one of them is needed, and every other signature by one of them must be valid too. Keys of algorithms that
    /// are not known, and those that are no keys, do not count.
    ///
    /// - Throws: ``KeyDocumentError``, which says what is wrong.
    public init(verifying json: JSON) throws(KeyDocumentError) {
        guard json.bytes.count <= Self.maximumBytes else { throw .tooLarge }
        guard json.isObject, json.hasOnlyCanonicalNumbers else { throw .malformed }
        guard let name = json["server_name"]?.string, let serverName = ServerName(name),
            let validUntil = json["valid_until_ts"]?.int, let listed = json["verify_keys"], listed.isObject
        else { throw .malformed }
        self.serverName = serverName
        validUntilTS = validUntil
        self.json = json
        var count = 0
        var keys: [SigningKeyID: VerifyKey] = [:]
        for (name, value) in listed.members {
            count += 1
            guard count <= Self.maximumKeys else { throw .tooLarge }
            if let (keyID, key) = Self.key(name, value) { keys[keyID] = key }
        }
        var oldKeys: [SigningKeyID: OldKey] = [:]
        for (name, value) in (json["old_verify_keys"] ?? .emptyObject).members {
            count += 1
            guard count <= Self.maximumKeys else { throw .tooLarge }
            // A key that is in use is not an old one, whatever the list says.
            guard let (keyID, key) = Self.key(name, value), keys[keyID] == nil,
                let expired = value["expired_ts"]?.int
            else { continue }
            oldKeys[keyID] = OldKey(key: key, expiredTS: expired)
        }
        verifyKeys = keys
        oldVerifyKeys = oldKeys
        try verifySelf()
    }

    private func verifySelf() throws(KeyDocumentError) {
        let text = JSONSigning.signedText(of: json)
        var isSigned = false
        for (keyID, key) in verifyKeys {
            guard json["signatures"]?[serverName.string]?[keyID.string] != nil else { continue }
            guard let signature = JSONSigning.signature(in: json, by: serverName.string, keyID: keyID),
                key.verify(signature: signature, message: text)
            else { throw .invalidSignature(keyID) }
            isSigned = true
        }
        guard isSigned else { throw .notSigned }
    }

    private static func key(_ name: String, _ value: JSON) -> (SigningKeyID, VerifyKey)? {
        guard let keyID = SigningKeyID(name), keyID.isEd25519, let text = value["key"]?.string,
            let key = VerifyKey(base64: text)
        else { return nil }
        return (keyID, key)
    }

    /// Makes this server's own document, signed by all the keys in use.
    ///
    /// - Parameters:
    ///   - serverName: This server.
    ///   - keys: The keys in use.
    ///   - oldKeys: Those that were.
    ///   - validUntilTS: Until when others may keep the document, in milliseconds since 1970.
    /// - Throws: ``Matrix/SigningError`` if the cryptographic library fails.
    public static func make(
        serverName: ServerName, keys: [SigningKey], oldKeys: [SigningKeyID: OldKey], validUntilTS: Int64
    ) throws(SigningError) -> [UInt8] {
        var verifyKeys = JSONObject()
        for key in keys { verifyKeys[key.keyID.string] = ["key": .string(key.publicKey.base64)] }
        var oldVerifyKeys = JSONObject()
        for (keyID, old) in oldKeys.sorted(by: { $0.key < $1.key }) {
            oldVerifyKeys[keyID.string] = ["expired_ts": .integer(old.expiredTS), "key": .string(old.key.base64)]
        }
        var document: JSONObject = [
            "server_name": .string(serverName.string), "valid_until_ts": .integer(validUntilTS),
            "verify_keys": .object(verifyKeys), "old_verify_keys": .object(oldVerifyKeys),
        ]
        for key in keys { document = try JSONSigning.sign(document, as: serverName, key: key) }
        return CanonicalJSON.text(of: .object(document))
    }
}

/// Why a key document is not believed.
public enum KeyDocumentError: Error, Hashable, Sendable {
    /// It has more bytes or keys than are read.
    case tooLarge
    /// It is not of the form that the specification gives.
    case malformed
    /// None of the keys it lists as in use has signed it.
    case notSigned
    /// A signature by one of the keys it lists is wrong.
    case invalidSignature(SigningKeyID)
}
