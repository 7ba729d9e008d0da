import Matrix

/// The [authorization rules](https://spec.matrix.org/v1.19/server-server-api/#authorisation-rules) of all room versions.
///
/// An event is checked against a state of its room: that of its `auth_events`, that before the event, the current one. What is
/// specific to the `auth_events` themselves is ``checkAuthEventsSelection(_:authEvents:isRejected:)``.
public enum Authorization {
    /// Checks an event against a state.
    ///
    /// Signatures are checked when an event arrives. Here a signature of the server that authorised a restricted join only has to
    /// be there; third-party invites, whose keys are part of the state, are verified.
    public static func check(_ event: Event, against state: some AuthState) -> Result<Void, AuthRejection> {
        Result { () throws(AuthRejection) in try authorize(event, state) }
    }

    private static func authorize(_ event: Event, _ state: some AuthState) throws(AuthRejection) {
        if event.type == .create { return try CreateRule.check(event) }
        guard let creation = state.creation else { throw .noCreateEvent }
        if event.version.roomIDIsCreateHash, !creation.identifies(event.roomID) { throw .roomIDNotFromCreateEvent }
        if !creation.federates, !event.sender.isLocal(to: creation.event.sender.server) { throw .notFederated }
        if event.version.aliasesSpecialAuth, event.type == .aliases { return try AliasesRule.check(event) }

        let subject = AuthSubject(event: event, state: state, creation: creation)
        if event.type == .member { return try MemberRule.check(subject) }
        guard subject.senderMembership == .join else { throw .senderNotJoined }
        if event.type == .thirdPartyInvite { return try ThirdPartyInviteRule.check(subject) }
        try SendRule.check(subject)
        if event.type == .powerLevels { try PowerLevelsRule.check(subject) }
        if event.version.redactionAuthRule, event.type == .redaction { try RedactionRule.check(subject) }
    }
}

/// An event under examination, and what the rules keep asking for.
struct AuthSubject<State: AuthState> {
    let event: Event
    let state: State
    let creation: RoomCreation
    let powerLevels: PowerLevels
    let senderMembership: Membership?

    init(event: Event, state: State, creation: RoomCreation) {
        self.event = event
        self.state = state
        self.creation = creation
        powerLevels = PowerLevels(state.powerLevelContent, creation: creation)
        senderMembership = state.membership(of: event.sender)
    }

    var senderLevel: PowerLevel { powerLevels.level(of: event.sender) }
}
