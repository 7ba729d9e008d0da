import Matrix

/// A state of a room, as far as the authorization rules look at it.
public protocol AuthState {
    /// The state's event of that key.
    func event(_ key: StateKey) -> Event?

    /// The room's creation.
    ///
    /// Since [room version 12](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules) events do not list the creation event
    /// in `auth_events`: a state made of these must supply it. It has to be an accepted event.
    var creation: RoomCreation? { get }

    /// What the state's power-levels event says; to be kept where the state outlives one question.
    var powerLevelContent: PowerLevelContent? { get }
}

extension AuthState {
    /// Read from the state's creation event.
    public var creation: RoomCreation? { event(StateKey(.create)).map(RoomCreation.init) }
    /// Read from the state's power-levels event, each time.
    public var powerLevelContent: PowerLevelContent? { event(StateKey(.powerLevels)).map { PowerLevelContent($0) } }

    /// The membership of a user; `nil` for one who has never had any.
    public func membership(of user: UserID) -> Membership? { membership(ofStateKey: ExactString(user.string)) }

    func membership(ofStateKey key: ExactString) -> Membership? {
        event(StateKey(.member, key.string)).flatMap(Membership.init(of:))
    }

    /// The rule for joining; without an event, by invitation.
    ///
    /// [Join rules](https://spec.matrix.org/v1.19/client-server-api/#mroomjoin_rules). `nil` if the event names a rule that does not
    /// exist.
    public var joinRule: JoinRule? {
        guard let event = event(StateKey(.joinRules)) else { return .invite }
        return JoinRule(of: event)
    }
}

/// A state made of a list of events, such as an event's `auth_events`.
public struct EventListState: AuthState, Sendable {
    private let events: [StateKey: Event]
    /// The room's creation, given or from the list.
    public let creation: RoomCreation?
    /// The list's power levels, read once.
    public let powerLevelContent: PowerLevelContent?

    /// A state of these events; of two for the same key the later one counts.
    ///
    /// - Parameters:
    ///   - events: State events; others are left out.
    ///   - creation: The room's creation, where it is not among the events.
    ///   - powerLevels: Reads power levels, for whoever has done so before.
    public init(
        _ events: some Sequence<Event>, creation: RoomCreation? = nil,
        powerLevels: (Event) -> PowerLevelContent = { PowerLevelContent($0) }
    ) {
        var byKey: [StateKey: Event] = [:]
        for event in events {
            if let key = event.state { byKey[key] = event }
        }
        self.events = byKey
        self.creation = creation ?? byKey[StateKey(.create)].map(RoomCreation.init)
        powerLevelContent = byKey[StateKey(.powerLevels)].map(powerLevels)
    }

    /// The list's event of that key.
    public func event(_ key: StateKey) -> Event? { events[key] }
}
