import Matrix

/// What somebody wants to send, and where it stands with the room: everything an ``/Matrix/EventBuilder`` needs but the time.
public struct EventProposal: Sendable {
    /// The `type`.
    public let type: EventType
    /// The `state_key`; `nil` for a message event.
    public let stateKey: ExactString?
    /// The `sender`.
    public let sender: UserID
    /// The `content`, an object.
    public let content: JSON

    /// A proposal.
    public init(type: EventType, stateKey: ExactString?, sender: UserID, content: JSON) {
        self.type = type
        self.stateKey = stateKey
        self.sender = sender
        self.content = content
    }

    /// The keys of the state that the event's `auth_events` are chosen by.
    public func requiredKeys(version: RoomVersion) -> [StateKey] {
        Authorization.requiredKeys(type: type, stateKey: stateKey, sender: sender, content: content, version: version)
    }

    /// The events that are to allow this one.
    ///
    /// [Auth events selection](https://spec.matrix.org/v1.19/server-server-api/#auth-events-selection).
    public func authEvents(in state: some AuthState, version: RoomVersion) -> [Event] {
        requiredKeys(version: version).compactMap(state.event)
    }

    /// The event before it is hashed, signed and named.
    ///
    /// - Parameters:
    ///   - state: The room's current state.
    ///   - placement: Where in the graph it goes.
    ///   - room: The room; `nil` for a creation event where rooms are named after it.
    ///   - version: The room's version.
    ///   - originServerTS: The time of sending, in milliseconds since 1970.
    public func builder(
        in state: some AuthState, at placement: Placement, room: RoomID?, version: RoomVersion, originServerTS: Int64
    ) -> EventBuilder {
        EventBuilder(
            version: version, roomID: room, type: type, stateKey: stateKey, sender: sender, content: content,
            originServerTS: originServerTS, depth: placement.depth, prevEvents: placement.prevEvents,
            authEvents: authEvents(in: state, version: version).map(\.eventID)
        )
    }
}
