import Matrix

/// What every event other than memberships must satisfy: [rules 8 and 9](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules).
enum SendRule {
    static func check(_ subject: AuthSubject<some AuthState>) throws(AuthRejection) {
        let event = subject.event
        let has = subject.senderLevel
        let needs = subject.powerLevels.required(toSend: event.type, isState: event.stateKey != nil)
        guard has >= needs else { throw .cannotSend(event.type, has: has, needs: needs) }
        if let key = event.stateKey, key.string.utf8.first == UInt8(ascii: "@"), key != ExactString(event.sender.string)
        {
            throw .stateKeyOfOtherUser
        }
    }
}

/// `m.room.third_party_invite`: [rule 7](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules).
enum ThirdPartyInviteRule {
    static func check(_ subject: AuthSubject<some AuthState>) throws(AuthRejection) {
        let has = subject.senderLevel
        let needs = subject.powerLevels.invite
        guard has >= needs else { throw .cannotInviteThirdParty(has: has, needs: needs) }
    }
}

/// `m.room.redaction`: [rule 11](https://spec.matrix.org/v1.19/rooms/v1/#authorisation-rules) of room versions 1 and 2.
enum RedactionRule {
    static func check(_ subject: AuthSubject<some AuthState>) throws(AuthRejection) {
        let has = subject.senderLevel
        let needs = subject.powerLevels.redact
        if has >= needs { return }
        guard let redacted = subject.event.redacts?.server, redacted == subject.event.eventID.server else {
            throw .cannotRedact(has: has, needs: needs)
        }
    }
}
