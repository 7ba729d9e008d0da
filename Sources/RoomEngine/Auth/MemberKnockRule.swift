import Matrix

/// Knocking: [rule 5.7](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules).
enum MemberKnockRule {
    static func check(_ subject: AuthSubject<some AuthState>, target: ExactString) throws(AuthRejection) {
        let rule = subject.state.joinRule
        guard rule == .knock || (rule == .knockRestricted && subject.event.version.knockRestricted) else {
            throw .cannotKnock(rule)
        }
        guard target == ExactString(subject.event.sender.string) else { throw .knockByOther }
        if let membership = subject.senderMembership {
            switch membership {
            case .ban, .invite, .join: throw .knockFrom(membership)
            case .leave, .knock: return
            }
        }
    }
}
