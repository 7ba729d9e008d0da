import Matrix
import Store

/// An event as somebody wants to send it, before the room's lane gives it its place.
public struct EventDraft: Sendable {
    /// Who sends it.
    public var sender: UserID
    /// The type.
    public var type: EventType
    /// The state key, if it is a state event.
    public var stateKey: ExactString?
    /// The content: an object.
    public var content: JSON
    /// What it redacts, if it is a redaction.
    public var redacts: EventID?
    /// What the sending client calls it.
    public var transaction: EventTransaction?
    /// When it was sent, in milliseconds since 1970, if not now (application services may say so).
    public var timestamp: Int64?
    /// For how long it sticks, in milliseconds, if it does.
    public var stickyMilliseconds: Int64?

    /// A draft.
    public init(
        sender: UserID, type: EventType, stateKey: String? = nil, content: JSON, redacts: EventID? = nil,
        transaction: EventTransaction? = nil, timestamp: Int64? = nil, stickyMilliseconds: Int64? = nil
    ) {
        self.sender = sender
        self.type = type
        self.stateKey = stateKey.map { ExactString($0) }
        self.content = content
        self.redacts = redacts
        self.transaction = transaction
        self.timestamp = timestamp
        self.stickyMilliseconds = stickyMilliseconds
    }

    /// A draft of a state event.
    public init(sender: UserID, state type: EventType, key: String = "", content: JSONValue) {
        self.init(sender: sender, type: type, stateKey: key, content: content.json)
    }
}

extension EventDraft {
    /// Whether it takes somebody out of the room.
    var isDeparture: Bool { type == .member && content["membership"]?.string == Membership.leave.rawValue }
}

/// What became of a draft.
public struct SentEvent: Sendable {
    /// The event's identifier.
    public let id: EventID
    /// The event; `nil` if it had been sent before under the same transaction ID.
    public let event: StoredEvent?
}
