extension Event {
    /// What the event's signatures cover: the redacted event's canonical text without `signatures` and `unsigned`.
    ///
    /// Computed at each call; with several signatures to check, keep it.
    public func signedText() -> [UInt8] {
        RedactedForm.text(json, fields: fields, type: type, version: version, keepsSignatures: false)
    }

    /// The Ed25519 keys by which that server claims to have signed.
    public func keyIDs(of server: ServerName) -> [SigningKeyID] {
        guard let signatures = self[.signatures]?[server.string] else { return [] }
        return signatures.members.compactMap { SigningKeyID($0.name) }.filter(\.isEd25519)
    }

    /// The signature of that server by that key, or `nil` if there is none or it is not Base64.
    public func signature(of server: ServerName, keyID: SigningKeyID) -> [UInt8]? {
        self[.signatures]?[server.string]?[keyID.string]?.string.flatMap(Base64.decode)
    }

    /// Whether that server has signed with that key, and validly.
    public func verify(server: ServerName, keyID: SigningKeyID, key: VerifyKey) -> Bool {
        guard keyID.isEd25519, let signature = signature(of: server, keyID: keyID) else { return false }
        return key.verify(signature: signature, message: signedText())
    }

    /// The servers that must have signed: the sender's; in old versions the one that chose the identifier; for a restricted join the
    /// one that authorized it. An invite through a third party needs none of the sender's.
    ///
    /// [Validating signatures](https://spec.matrix.org/v1.19/server-server-api/#validating-hashes-and-signatures-on-received-events).
    ///
    /// - Returns: `nil` if the event names an authorizing user that cannot be, so that nobody's signature would do.
    public var requiredSigners: Set<ServerName>? {
        var servers: Set<ServerName> = []
        if !isThirdPartyInvite { servers.insert(sender.server) }
        if !version.eventIDIsHash {
            guard let server = eventID.server else { return nil }
            servers.insert(server)
        }
        if version.restrictedJoins, type == .member, let user = content["join_authorised_via_users_server"] {
            guard let user = user.string.flatMap({ UserID($0) }) else { return nil }
            servers.insert(user.server)
        }
        return servers
    }

    /// Whether this is the invite of somebody who was known by a third-party identifier only.
    public var isThirdPartyInvite: Bool { membership == "invite" && content["third_party_invite"] != nil }

    /// The event with one more signature, as a policy server or the server authorizing a restricted join adds it.
    ///
    /// - Throws: ``EventError/signing(_:)`` if the cryptographic library fails.
    public func signed(by server: ServerName, key: SigningKey) throws(EventError) -> Event {
        let signature: [UInt8]
        do { signature = try key.sign(signedText()) } catch { throw .signing(error) }
        return try adding(signature: signature, of: server, keyID: key.keyID)
    }

    /// The event with one more signature that came from elsewhere. It is not checked.
    public func adding(signature: [UInt8], of server: ServerName, keyID: SigningKeyID) throws(EventError) -> Event {
        var signatures = self[.signatures]?.value ?? [:]
        var own = signatures[server.string] ?? [:]
        own[keyID.string] = .string(Base64.encode(signature))
        signatures[server.string] = own
        var value = json.value
        value["signatures"] = signatures
        let text = CanonicalJSON.text(of: value)
        guard text.count <= Event.maximumBytes else { throw .tooLarge(bytes: text.count) }
        return try Event(trusted: text, version: version, eventID: eventID)
    }
}
