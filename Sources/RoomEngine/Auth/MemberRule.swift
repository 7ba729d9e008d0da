import Matrix

/// `m.room.member`: [rule 5](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules).
enum MemberRule {
    static func check(_ subject: AuthSubject<some AuthState>) throws(AuthRejection) {
        let event = subject.event
        guard let target = event.stateKey else { throw .memberWithoutStateKey }
        guard let name = event.content["membership"] else { throw .memberWithoutMembership }
        if event.version.restrictedJoins { try checkAuthorisingSignature(of: event) }
        switch name.string.flatMap(Membership.init(name:)) {
        case .join: try MemberJoinRule.check(subject, target: target)
        case .invite: try MemberInviteRule.check(subject, target: target)
        case .leave: try MemberLeaveRule.check(subject, target: target)
        case .ban: try MemberBanRule.check(subject, target: target)
        case .knock where event.version.knocking: try MemberKnockRule.check(subject, target: target)
        case .knock, nil: throw .unknownMembership
        }
    }

    /// That the signature holds is checked with all others when the event arrives.
    private static func checkAuthorisingSignature(of event: Event) throws(AuthRejection) {
        guard let authoriser = event.content["join_authorised_via_users_server"] else { return }
        guard let user = authoriser.string.flatMap({ UserID($0) }),
            let signatures = event.json["signatures"]?[user.server.string], signatures.count > 0
        else { throw .joinNotSignedByAuthorisingServer }
    }
}
