import Matrix

/// The checks that decide on an event whose format, signatures and hashes are in order.
///
/// [Checks performed on receipt of a PDU](https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu),
/// numbers 4 to 6.
public enum Admission {
    /// Decides on an event by its `auth_events`, the state before it and the current state.
    ///
    /// - Parameters:
    ///   - event: The event.
    ///   - known: Looks up what the event refers to.
    ///   - stateBefore: The state before the event, resolved from the states after its `prev_events`.
    ///   - currentState: The room's current state; `nil` where it does not matter, such as for history that is filled in.
    public static func verdict(
        on event: Event, known: (EventID) -> KnownEvent?, stateBefore: some AuthState, currentState: (any AuthState)?
    ) -> Verdict {
        if let verdict = verdictByAuthEvents(on: event, known: known) { return verdict }
        if case .failure(let rejection) = Authorization.check(event, against: stateBefore) {
            return .rejected(rejection)
        }
        if let currentState, case .failure(let rejection) = check(event, against: currentState) {
            return .softFailed(rejection)
        }
        return .accepted
    }

    private static func check(_ event: Event, against state: some AuthState) -> Result<Void, AuthRejection> {
        Authorization.check(event, against: state)
    }

    /// Decides on an event by its `auth_events` alone: all that can be said of events outside of the graph, such as those of an auth
    /// chain.
    ///
    /// - Returns: A rejection, or what is needed to decide; `nil` if nothing speaks against the event.
    public static func verdictByAuthEvents(
        on event: Event, known: (EventID) -> KnownEvent?,
        powerLevels: (Event) -> PowerLevelContent = { PowerLevelContent($0) }
    ) -> Verdict? {
        var authEvents: [Event] = []
        var rejected: Set<EventID> = []
        var missing: [EventID] = []
        func look(up id: EventID) -> Event? {
            switch known(id) {
            case .accepted(let event): return event
            case .rejected(let event):
                rejected.insert(id)
                return event
            case nil:
                missing.append(id)
                return nil
            }
        }
        for id in event.authEvents {
            if let authEvent = look(up: id) { authEvents.append(authEvent) }
        }
        var creation: RoomCreation?
        if event.version.roomIDIsCreateHash, event.type != .create {
            guard let id = createEventID(of: event.roomID) else { return .rejected(.roomIDNotFromCreateEvent) }
            if let create = look(up: id) {
                guard create.type == .create, !rejected.contains(id) else {
                    return .rejected(.roomIDNotFromCreateEvent)
                }
                creation = RoomCreation(create)
            }
        }
        guard missing.isEmpty else { return .needs(missing) }
        let selection = Authorization.checkAuthEventsSelection(event, authEvents: authEvents) {
            rejected.contains($0.eventID)
        }
        if case .failure(let rejection) = selection { return .rejected(rejection) }
        let state = EventListState(authEvents, creation: creation, powerLevels: powerLevels)
        if case .failure(let rejection) = Authorization.check(event, against: state) { return .rejected(rejection) }
        return nil
    }

    /// The creation event after which a room is named, in versions where rooms are named after it.
    public static func createEventID(of room: RoomID) -> EventID? { EventID("$" + room.string.dropFirst()) }

    /// The events that must be known before one can be decided on, of those that it refers to.
    ///
    /// - Parameter isKnown: Whether an event, accepted or not, is known with the state after it.
    public static func missingPrevEvents(of event: Event, isKnown: (EventID) -> Bool) -> [EventID] {
        event.prevEvents.filter { !isKnown($0) }
    }
}
