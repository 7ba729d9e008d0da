import Matrix

/// Who may do what in a state of a room: its power levels with all that is implied.
///
/// [Power levels](https://spec.matrix.org/v1.19/client-server-api/#mroompower_levels).
public struct PowerLevels: Sendable {
    /// What the state's power-levels event says; `nil` without such an event.
    public let content: PowerLevelContent?
    /// The room's creation.
    public let creation: RoomCreation

    /// The power levels of a state.
    ///
    /// - Parameters:
    ///   - content: What its power-levels event says; `nil` without such an event.
    ///   - creation: The room's creation.
    public init(_ content: PowerLevelContent?, creation: RoomCreation) {
        self.content = content
        self.creation = creation
    }

    /// The power levels of a state, or `nil` if the room has no creation event.
    public init?(of state: some AuthState) {
        guard let creation = state.creation else { return nil }
        self.init(state.powerLevelContent, creation: creation)
    }

    /// How much a user may do.
    public func level(of user: UserID) -> PowerLevel {
        if creation.privilegedCreators.contains(user) { return .infinite }
        return .level(grantedLevel(of: ExactString(user.string)))
    }

    /// How much the user may do whom a state key names.
    func level(ofStateKey key: ExactString) -> PowerLevel {
        if creation.privilegedCreators.contains(where: { ExactString($0.string) == key }) { return .infinite }
        return .level(grantedLevel(of: key))
    }

    private func grantedLevel(of user: ExactString) -> Int64 {
        guard let content else {
            // Without a power-levels event the creator has 100; creators who stand above all levels are dealt with before.
            return user == creation.creator && !creation.event.version.privilegedCreators ? 100 : 0
        }
        return content.users[user] ?? content[.usersDefault] ?? 0
    }

    /// The level that users have whom nothing else is said of.
    public var usersDefault: PowerLevel { .level(content?[.usersDefault] ?? 0) }

    /// The [required power level](https://spec.matrix.org/v1.19/server-server-api/#definitions) of a type of event.
    public func required(toSend type: EventType, isState: Bool) -> PowerLevel {
        if let level = content?.events[ExactString(type.string)] { return .level(level) }
        return .level(isState ? content?[.stateDefault] ?? 50 : content?[.eventsDefault] ?? 0)
    }

    /// The level that it takes to invite.
    public var invite: PowerLevel { .level(content?[.invite] ?? 0) }
    /// The level that it takes to kick.
    public var kick: PowerLevel { .level(content?[.kick] ?? 50) }
    /// The level that it takes to ban and to lift a ban.
    public var ban: PowerLevel { .level(content?[.ban] ?? 50) }
    /// The level that it takes to redact what others have sent.
    public var redact: PowerLevel { .level(content?[.redact] ?? 50) }

    /// The level that it takes to notify by that kind of notification, such as `room`.
    public func required(toNotify kind: String) -> PowerLevel {
        .level(content?.notifications[ExactString(kind)] ?? 50)
    }

    /// Whether a user may send a type of event, going by levels alone.
    public func may(_ user: UserID, send type: EventType, isState: Bool) -> Bool {
        level(of: user) >= required(toSend: type, isState: isState)
    }

    /// Whether the redaction of one user's event by another is to be applied.
    ///
    /// [Handling redactions](https://spec.matrix.org/v1.19/rooms/v12/#handling-redactions): by whoever has the redact level, and by
    /// users of the same server as the event's sender.
    public func mayRedact(_ redactor: UserID, eventOf sender: UserID) -> Bool {
        level(of: redactor) >= redact || redactor.isLocal(to: sender.server)
    }
}
