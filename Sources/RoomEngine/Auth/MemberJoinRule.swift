import Matrix

/// Joining: [rule 5.3](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules).
enum MemberJoinRule {
    static func check(_ subject: AuthSubject<some AuthState>, target: ExactString) throws(AuthRejection) {
        let event = subject.event
        // The creator's own join stands directly on the creation event, before there are any rules.
        if event.prevEvents == [subject.creation.event.eventID], target == subject.creation.creator { return }
        guard target == ExactString(event.sender.string) else { throw .joinByOther }
        let membership = subject.senderMembership
        guard membership != .ban else { throw .joinWhileBanned }
        let rule = subject.state.joinRule
        let isInside = membership == .invite || membership == .join
        switch rule {
        case .public: return
        case .invite where isInside: return
        case .knock where isInside && event.version.knocking: return
        case .restricted where event.version.restrictedJoins, .knockRestricted where event.version.knockRestricted:
            if !isInside { try checkAuthorised(subject) }
        default: throw .joinWithoutInvite(rule)
        }
    }

    private static func checkAuthorised(_ subject: AuthSubject<some AuthState>) throws(AuthRejection) {
        guard let user = subject.event.content["join_authorised_via_users_server"]?.string.flatMap({ UserID($0) }),
            subject.state.membership(of: user) == .join,
            subject.powerLevels.level(of: user) >= subject.powerLevels.invite
        else { throw .joinNotAuthorised }
    }
}
