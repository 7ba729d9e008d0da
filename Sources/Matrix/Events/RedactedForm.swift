import Crypto

/// What redaction leaves of an event, which is also what its signatures and its identifier cover.
///
/// [Redactions](https://spec.matrix.org/v1.19/client-server-api/#redactions); the lists are each room version's own.
enum RedactedForm {
    /// The canonical text of the redacted event.
    ///
    /// - Parameter keepsSignatures: Whether `signatures` stay, which signing and hashing leave out.
    static func text(
        _ json: JSON, fields: EventFields, type: EventType, version: RoomVersion, keepsSignatures: Bool
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(json.document.bytes.count)
        out.append(UInt8(ascii: "{"))
        // The fields' own order is that of canonical JSON, and no other member survives.
        for field in EventField.allCases {
            guard keeps(field, version: version), keepsSignatures || field != .signatures,
                let value = fields.value(field, in: json.document)
            else { continue }
            if out.count > 1 { out.append(UInt8(ascii: ",")) }
            JSONText.appendKey(field.staticName, to: &out)
            if field == .content {
                appendContent(value, type: type, version: version, to: &out)
            } else {
                CanonicalJSON.append(value, to: &out)
            }
        }
        out.append(UInt8(ascii: "}"))
        return out
    }

    /// SHA-256 of the redacted event without its signatures.
    static func referenceHash(_ json: JSON, fields: EventFields, type: EventType, version: RoomVersion) -> [UInt8] {
        Array(
            SHA256.hash(data: text(json, fields: fields, type: type, version: version, keepsSignatures: false))
        )
    }

    /// Whether redaction leaves that member.
    static func keeps(_ field: EventField, version: RoomVersion) -> Bool {
        switch field {
        case .redacts, .sticky, .unsigned: false
        case .origin, .membership, .prevState: !version.updatedRedaction
        case .authEvents, .content, .depth, .eventID, .hashes, .originServerTS, .prevEvents, .roomID, .sender,
            .signatures, .stateKey, .type:
            true
        }
    }

    /// Appends the canonical text of what redaction leaves of a content.
    static func appendContent(_ content: JSON, type: EventType, version: RoomVersion, to out: inout [UInt8]) {
        if type == .create, version.updatedRedaction {
            CanonicalJSON.append(content, to: &out)
            return
        }
        out.append(UInt8(ascii: "{"))
        var first = true
        for name in keptNames(type, version) {
            guard let value = content[name] else { continue }
            // Of a third-party invite only what the identity server signed stays.
            let isInvite = name == "third_party_invite"
            if isInvite, !value.isObject { continue }
            if !first { out.append(UInt8(ascii: ",")) }
            first = false
            JSONText.appendQuoted(name, to: &out)
            out.append(UInt8(ascii: ":"))
            if isInvite {
                out.append(UInt8(ascii: "{"))
                if let signed = value["signed"] {
                    JSONText.appendKey("signed", to: &out)
                    CanonicalJSON.append(signed, to: &out)
                }
                out.append(UInt8(ascii: "}"))
            } else {
                CanonicalJSON.append(value, to: &out)
            }
        }
        out.append(UInt8(ascii: "}"))
    }

    /// The members of the content that stay, in the order of canonical JSON.
    private static func keptNames(_ type: EventType, _ version: RoomVersion) -> [String] {
        switch type {
        case .member:
            version.updatedRedaction
                ? memberNamesWithInvite
                : version.restrictedJoinFieldsKeptOnRedaction ? memberNamesWithJoin : memberNames
        case .create: createNames
        case .joinRules: version.joinRulesAllowKeptOnRedaction ? joinRulesNamesWithAllow : joinRulesNames
        case .powerLevels: version.updatedRedaction ? powerLevelsNamesWithInvite : powerLevelsNames
        case .historyVisibility: historyVisibilityNames
        case .aliases: version.aliasesSpecialAuth ? aliasesNames : []
        case .redaction: version.redactsInContent ? redactionNames : []
        default: []
        }
    }

    private static let memberNames = ["membership"]
    private static let memberNamesWithJoin = ["join_authorised_via_users_server", "membership"]
    private static let memberNamesWithInvite = ["join_authorised_via_users_server", "membership", "third_party_invite"]
    private static let createNames = ["creator"]
    private static let joinRulesNames = ["join_rule"]
    private static let joinRulesNamesWithAllow = ["allow", "join_rule"]
    private static let powerLevelsNames = [
        "ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default",
    ]
    private static let powerLevelsNamesWithInvite = [
        "ban", "events", "events_default", "invite", "kick", "redact", "state_default", "users", "users_default",
    ]
    private static let historyVisibilityNames = ["history_visibility"]
    private static let aliasesNames = ["aliases"]
    private static let redactionNames = ["redacts"]
}

extension Event {
    /// The event as redaction leaves it: same identifier, same signatures, canonical text.
    ///
    /// [Redactions](https://spec.matrix.org/v1.19/client-server-api/#redactions).
    ///
    /// - Throws: ``EventError``, if this event was read from damaged storage.
    public func redacted() throws(EventError) -> Event {
        let text = RedactedForm.text(json, fields: fields, type: type, version: version, keepsSignatures: true)
        return try Event(trusted: text, version: version, eventID: eventID)
    }
}
