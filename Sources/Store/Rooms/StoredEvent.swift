import Matrix

/// An event as the store has it: the event itself, and what this server knows about it. Immutable; shared by all who look.
public final class StoredEvent: Sendable {
    /// Its number.
    public let number: EventNumber
    /// The event.
    public let event: Event
    /// Its room.
    public let room: RoomNumber
    /// Its sender.
    public let sender: UserNumber
    /// Its type and state key, if it is a state event.
    public let stateKey: StateKeyNumber?
    /// Its place in the room's timeline; negative for history fetched later; `nil` if it is in no timeline.
    public let position: StreamPosition?
    /// The state after it on its branch of the graph; `nil` for an event that is not part of the graph.
    public let state: StateNumber?
    /// The room's current state when the event took its place in the timeline, where that is not ``state``: branches had met.
    public let roomState: StateNumber?
    /// The event whose place in the state it took.
    public let replaces: EventNumber?
    /// The event that redacted it.
    public let redactedBy: EventNumber?
    /// What the authorization rules said.
    public let status: EventStatus
    /// When this server got it, in milliseconds since 1970.
    public let receivedTimestamp: Int64
    /// What its sender, if on this server, called it.
    public let transaction: EventTransaction?

    /// A stored event.
    public init(
        number: EventNumber, event: Event, room: RoomNumber, sender: UserNumber, stateKey: StateKeyNumber?,
        position: StreamPosition?, state: StateNumber?, roomState: StateNumber? = nil, replaces: EventNumber?,
        redactedBy: EventNumber?, status: EventStatus, receivedTimestamp: Int64, transaction: EventTransaction?
    ) {
        self.number = number
        self.event = event
        self.room = room
        self.sender = sender
        self.stateKey = stateKey
        self.position = position
        self.state = state
        self.roomState = roomState
        self.replaces = replaces
        self.redactedBy = redactedBy
        self.status = status
        self.receivedTimestamp = receivedTimestamp
        self.transaction = transaction
    }

    /// The room's current state when the event took its place in the timeline.
    public var timelineState: StateNumber? { roomState ?? state }

    /// Whether the event is part of the graph: others can build on it.
    public var isInGraph: Bool { state != nil }

    /// The event with other states; in no timeline if it has turned out not to be allowed.
    func restated(
        state: StateNumber, roomState: StateNumber?, replaces: EventNumber?, isRejected: Bool
    ) -> StoredEvent {
        StoredEvent(
            number: number, event: event, room: room, sender: sender, stateKey: stateKey,
            position: isRejected ? nil : position, state: state, roomState: roomState, replaces: replaces,
            redactedBy: redactedBy, status: isRejected ? .rejected : status,
            receivedTimestamp: receivedTimestamp, transaction: transaction
        )
    }

    /// The event with its content redacted.
    func redacted(_ redacted: Event, by redaction: EventNumber) -> StoredEvent {
        copy(redacted, redactedBy: redaction)
    }

    /// The event without its content, in no timeline any more.
    func purged(_ redacted: Event) -> StoredEvent {
        StoredEvent(
            number: number, event: redacted, room: room, sender: sender, stateKey: stateKey, position: nil,
            state: state, roomState: roomState, replaces: replaces, redactedBy: redactedBy, status: status,
            receivedTimestamp: receivedTimestamp, transaction: transaction)
    }

    /// The event outside of the graph and of every timeline.
    func detached() -> StoredEvent {
        StoredEvent(
            number: number, event: event, room: room, sender: sender, stateKey: stateKey, position: nil, state: nil,
            replaces: replaces, redactedBy: redactedBy, status: .outlier, receivedTimestamp: receivedTimestamp,
            transaction: transaction)
    }

    /// The record with another form of the event, for those who may not see all of it.
    public func showing(_ event: Event) -> StoredEvent { copy(event, redactedBy: redactedBy) }

    private func copy(_ event: Event, redactedBy redaction: EventNumber?) -> StoredEvent {
        StoredEvent(
            number: number, event: event, room: room, sender: sender, stateKey: stateKey, position: position,
            state: state, roomState: roomState, replaces: replaces, redactedBy: redaction, status: status,
            receivedTimestamp: receivedTimestamp,
            transaction: transaction
        )
    }
}

/// What the authorization rules said of an event, as the database has it. Never renumber.
public enum EventStatus: Int64, Sendable {
    /// Part of the room.
    case accepted = 0
    /// Allowed by what it builds on, but not by the room's current state: kept, not shown.
    case softFailed = 1
    /// Not allowed: kept so that it is not fetched again, never used.
    case rejected = 2
    /// Known as part of an authorization chain or a state, or kept of history that was removed, not of the timeline.
    case outlier = 3
}

/// The name that a client gave to an event when it sent it, which makes sending idempotent.
public struct EventTransaction: Sendable, Hashable {
    /// The device that sent it.
    public let device: DeviceID
    /// The part of the path before the transaction ID: the same ID on another path is another transaction.
    public let scope: String
    /// The transaction ID.
    public let id: String

    /// A transaction.
    public init(device: DeviceID, scope: String, id: String) {
        self.device = device
        self.scope = scope
        self.id = id
    }
}

/// Keeps events in memory, within a budget of bytes.
public final class EventCache: Sendable {
    private let byNumber: GenerationalCache<EventNumber, StoredEvent>
    private let byID: GenerationalCache<EventID, EventNumber>

    init(byteBudget: Int) {
        byNumber = GenerationalCache(budget: byteBudget)
        byID = GenerationalCache(budget: max(1_000, byteBudget / 1_000))
    }

    /// The event of that number, if it is in memory.
    public subscript(_ number: EventNumber) -> StoredEvent? { byNumber[number] }

    /// The number of an event, if it is in memory.
    public func number(of id: EventID) -> EventNumber? { byID[id] }

    /// Keeps an event that is durable.
    public func insert(_ event: StoredEvent) {
        byNumber.insert(event.number, event, cost: event.event.memoryFootprint + 256)
        byID.insert(event.event.eventID, event.number)
    }

    /// Forgets an event whose record has changed.
    public func remove(_ number: EventNumber) { byNumber.remove(number) }

    /// Forgets an event that is not there any more.
    func forget(_ number: EventNumber, _ id: EventID) {
        byNumber.remove(number)
        byID.remove(id)
    }
}
