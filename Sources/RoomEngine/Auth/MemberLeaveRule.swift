import Matrix

/// Leaving, kicking and lifting a ban: [rule 5.5](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules).
enum MemberLeaveRule {
    static func check(_ subject: AuthSubject<some AuthState>, target: ExactString) throws(AuthRejection) {
        if target == ExactString(subject.event.sender.string) {
            switch subject.senderMembership {
            case .invite, .join: return
            case .knock where subject.event.version.knocking: return
            case let membership: throw .leaveFrom(membership)
            }
        }
        guard subject.senderMembership == .join else { throw .senderNotJoined }
        let has = subject.senderLevel
        if subject.state.membership(ofStateKey: target) == .ban, has < subject.powerLevels.ban {
            throw .cannotUnban(has: has, needs: subject.powerLevels.ban)
        }
        guard has >= subject.powerLevels.kick else { throw .cannotKick(has: has, needs: subject.powerLevels.kick) }
        let targetLevel = subject.powerLevels.level(ofStateKey: target)
        guard targetLevel < has else { throw .targetAsPowerful(has: has, target: targetLevel) }
    }
}
