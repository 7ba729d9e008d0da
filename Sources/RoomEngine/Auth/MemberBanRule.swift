import Matrix

/// Banning: [rule 5.6](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules).
enum MemberBanRule {
    static func check(_ subject: AuthSubject<some AuthState>, target: ExactString) throws(AuthRejection) {
        guard subject.senderMembership == .join else { throw .senderNotJoined }
        let has = subject.senderLevel
        guard has >= subject.powerLevels.ban else { throw .cannotBan(has: has, needs: subject.powerLevels.ban) }
        let targetLevel = subject.powerLevels.level(ofStateKey: target)
        guard targetLevel < has else { throw .targetAsPowerful(has: has, target: targetLevel) }
    }
}
