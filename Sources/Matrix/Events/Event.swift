/// A persistent event (PDU): immutable, its bytes kept as they were received.
///
/// Identifiers that are needed all the time are decoded once; everything else is looked up in the text when asked for.
/// `unsigned`, which no signature covers, may be in a received event's bytes but is never part of what clients are told.
/// [PDUs](https://spec.matrix.org/v1.19/server-server-api/#pdus).
public final class Event: Sendable {
    /// The longest canonical text of an event, in bytes.
    public static let maximumBytes = 65_536
    /// The longest `type`, `state_key`, `sender`, `room_id` and `event_id`, in bytes.
    public static let maximumFieldBytes = 255
    /// The longest list of `prev_events`.
    public static let maximumPrevEvents = 20
    /// The longest list of `auth_events`.
    public static let maximumAuthEvents = 10

    /// The room's version.
    public let version: RoomVersion
    /// The whole event.
    public let json: JSON
    /// The identifier, chosen or computed according to the version.
    public let eventID: EventID
    /// The room; derived from ``eventID`` where the version says so.
    public let roomID: RoomID
    /// The `type`.
    public let type: EventType
    /// The `state_key`; `nil` if this is a message event.
    public let stateKey: ExactString?
    /// The `sender`.
    public let sender: UserID
    /// The time that the sending server gave, in milliseconds since 1970.
    public let originServerTS: Int64
    /// The `depth`.
    public let depth: Int64

    let fields: EventFields

    /// The events that this one follows. Decoded at each call.
    public var prevEvents: [EventID] { references(.prevEvents) }
    /// The events that allow this one. Decoded at each call.
    public var authEvents: [EventID] { references(.authEvents) }

    /// What a redaction redacts, from wherever the version keeps it; `nil` for other events.
    public var redacts: EventID? {
        guard type == .redaction else { return nil }
        let member = version.redactsInContent ? content["redacts"] : self[.redacts]
        return member?.string.flatMap { EventID($0) }
    }

    /// The `content`, always an object.
    public var content: JSON { self[.content] ?? JSON.emptyObject }
    /// The whole text.
    public var bytes: [UInt8] { json.document.bytes }
    /// Whether this is a state event.
    public var isState: Bool { stateKey != nil }
    /// What this is a state of, or `nil` if it is a message event.
    public var state: StateKey? { stateKey.map { StateKey(type, $0.string) } }
    /// The `membership` in the content of an `m.room.member`; `nil` for other events.
    public var membership: String? { type == .member ? content["membership"]?.string : nil }
    /// The `unsigned` that a received event came with. Nobody vouches for it.
    public var receivedUnsigned: JSON? { self[.unsigned] }

    /// The bytes of memory that the event takes, for caches that share a budget.
    public var memoryFootprint: Int {
        json.document.memoryFootprint + 256 + eventID.string.utf8.count + roomID.string.utf8.count
            + sender.string.utf8.count + type.string.utf8.count
    }

    /// The member of that name, if there is one.
    public subscript(_ field: EventField) -> JSON? { fields.value(field, in: json.document) }

    init(
        version: RoomVersion, json: JSON, fields: EventFields, eventID: EventID, roomID: RoomID, type: EventType,
        stateKey: ExactString?, sender: UserID, originServerTS: Int64, depth: Int64
    ) {
        self.version = version
        self.json = json
        self.fields = fields
        self.eventID = eventID
        self.roomID = roomID
        self.type = type
        self.stateKey = stateKey
        self.sender = sender
        self.originServerTS = originServerTS
        self.depth = depth
    }

    private func references(_ field: EventField) -> [EventID] {
        guard let list = self[field] else { return [] }
        return list.elements.compactMap { element in
            let id = version.eventFormat == .v1 ? element.elements.first { _ in true } : element
            return (id?.string).map { EventID(trusted: $0) }
        }
    }
}

extension Event: CustomStringConvertible {
    /// The identifier and the type; never the content.
    public var description: String { "\(eventID) (\(type))" }
}

extension Event: Hashable {
    /// Whether the two have the same identifier.
    public static func == (left: Event, right: Event) -> Bool { left === right || left.eventID == right.eventID }
    /// Feeds what makes two equal.
    public func hash(into hasher: inout Hasher) { hasher.combine(eventID) }
}
