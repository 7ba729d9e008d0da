import Matrix

/// Inviting: [rule 5.4](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules).
enum MemberInviteRule {
    static func check(_ subject: AuthSubject<some AuthState>, target: ExactString) throws(AuthRejection) {
        let targetMembership = subject.state.membership(ofStateKey: target)
        if let invite = subject.event.content["third_party_invite"] {
            guard targetMembership != .ban else { throw .thirdPartyInviteOfBanned }
            return try checkThirdParty(invite, subject, target: target)
        }
        guard subject.senderMembership == .join else { throw .senderNotJoined }
        if let targetMembership, targetMembership == .join || targetMembership == .ban {
            throw .inviteOf(targetMembership)
        }
        let has = subject.senderLevel
        let needs = subject.powerLevels.invite
        guard has >= needs else { throw .cannotInvite(has: has, needs: needs) }
    }

    /// The invitation of whoever has proved to own a third-party identifier that was invited before.
    private static func checkThirdParty(
        _ invite: JSON, _ subject: AuthSubject<some AuthState>, target: ExactString
    ) throws(AuthRejection) {
        guard let signed = invite["signed"], let mxid = signed["mxid"]?.string, let token = signed["token"]?.string
        else {
            throw .thirdPartyInviteMalformed
        }
        guard ExactString(mxid) == target else { throw .thirdPartyInviteForOther }
        guard let origin = subject.state.event(StateKey(.thirdPartyInvite, token)) else {
            throw .thirdPartyInviteUnknown
        }
        guard origin.sender == subject.event.sender else { throw .thirdPartyInviteByOther }
        guard ThirdPartySignature.holds(signed, keysOf: origin.content) else { throw .thirdPartyInviteBadSignature }
    }
}
