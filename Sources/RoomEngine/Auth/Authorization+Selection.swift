import Matrix

extension Authorization {
    /// The keys of the state that give the sender of an event the permission to send it: what its `auth_events` are chosen by.
    ///
    /// [Auth events selection](https://spec.matrix.org/v1.19/server-server-api/#auth-events-selection).
    public static func requiredKeys(
        type: EventType, stateKey: ExactString?, sender: UserID, content: JSON, version: RoomVersion
    ) -> [StateKey] {
        if type == .create { return [] }
        var keys: [StateKey] = []
        keys.reserveCapacity(6)
        if version.createInAuthEvents { keys.append(StateKey(.create)) }
        keys.append(StateKey(.powerLevels))
        keys.append(.member(sender))
        guard type == .member, let target = stateKey else { return keys }
        func addMember(_ user: String) {
            let key = StateKey(.member, user)
            if !keys.contains(key) { keys.append(key) }
        }
        addMember(target.string)
        let membership = content["membership"]?.string.flatMap(Membership.init(name:))
        if membership == .join || membership == .invite || membership == .knock { keys.append(StateKey(.joinRules)) }
        if membership == .invite, let token = content["third_party_invite"]?["signed"]?["token"]?.string {
            keys.append(StateKey(.thirdPartyInvite, token))
        }
        if membership == .join, version.restrictedJoins, let user = content["join_authorised_via_users_server"]?.string
        {
            addMember(user)
        }
        return keys
    }

    /// The keys by which the `auth_events` of an event are chosen.
    public static func requiredKeys(for event: Event) -> [StateKey] {
        requiredKeys(
            type: event.type, stateKey: event.stateKey, sender: event.sender, content: event.content,
            version: event.version
        )
    }

    /// Checks what an event lists in `auth_events`: [rule 3](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules).
    ///
    /// - Parameters:
    ///   - event: The event that lists them.
    ///   - authEvents: The events listed, all of them.
    ///   - isRejected: Whether one of them has been rejected.
    public static func checkAuthEventsSelection(
        _ event: Event, authEvents: [Event], isRejected: (Event) -> Bool = { _ in false }
    ) -> Result<Void, AuthRejection> {
        Result { () throws(AuthRejection) in
            // A creation event depends on nothing; what it may have is a matter of its own rule.
            if event.type == .create { return }
            let expected = requiredKeys(for: event)
            var seen: [StateKey] = []
            for authEvent in authEvents {
                guard let key = authEvent.state else { throw .unexpectedAuthEvent(authEvent.eventID) }
                guard !seen.contains(key) else { throw .duplicateAuthEvent(key) }
                guard expected.contains(key) else { throw .unexpectedAuthEvent(authEvent.eventID) }
                guard !isRejected(authEvent) else { throw .rejectedAuthEvent(authEvent.eventID) }
                guard authEvent.roomID == event.roomID else { throw .authEventOfOtherRoom(authEvent.eventID) }
                seen.append(key)
            }
            if event.version.createInAuthEvents, !seen.contains(StateKey(.create)) { throw .noCreateEvent }
        }
    }
}
