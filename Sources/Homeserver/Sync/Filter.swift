import Matrix

/// What a client wants to be told of, parsed and ready to be matched.
///
/// [Filtering](https://spec.matrix.org/v1.19/client-server-api/#filtering). An object, since it is large: a client that waits keeps one
/// pointer to it in each frame of its task, and not a copy.
public final class Filter: Sendable {
    /// How events are written.
    public enum EventFormat: String, Sendable {
        /// As clients know them.
        case client
        /// As servers exchange them.
        case federation
    }

    /// The members of events that are wanted; `nil` for all of them.
    public let eventFields: EventFieldSelection?
    /// How events are written.
    public let eventFormat: EventFormat
    /// Which presence is wanted.
    public let presence: EventFilter
    /// Which global account data is wanted.
    public let accountData: EventFilter
    /// What is wanted of rooms.
    public let room: RoomFilter

    /// The filter that lets everything through.
    public static let all = Filter(
        eventFields: nil, eventFormat: .client, presence: .all, accountData: .all, room: .all)

    /// A filter of these parts.
    public init(
        eventFields: EventFieldSelection?, eventFormat: EventFormat, presence: EventFilter, accountData: EventFilter,
        room: RoomFilter
    ) {
        self.eventFields = eventFields
        self.eventFormat = eventFormat
        self.presence = presence
        self.accountData = accountData
        self.room = room
    }
}

/// What a client wants to be told of rooms.
public struct RoomFilter: Sendable {
    /// Which rooms are wanted at all.
    public var rooms: Selection<RoomID>
    /// Whether rooms that the user has left are wanted in a first sync.
    public var includeLeave: Bool
    /// Which of receipts and typing notices are wanted.
    public var ephemeral: RoomEventFilter
    /// Which state is wanted.
    public var state: RoomEventFilter
    /// Which events of the timeline are wanted.
    public var timeline: RoomEventFilter
    /// Which account data of rooms is wanted.
    public var accountData: RoomEventFilter

    /// The filter that lets everything through.
    public static let all = RoomFilter(
        rooms: .all, includeLeave: false, ephemeral: .all, state: .all, timeline: .all, accountData: .all)

    /// Whether anything of the room is wanted.
    public func allows(_ room: RoomID) -> Bool { rooms.allows(room) }
}

/// Which events are wanted, by type and sender.
public struct EventFilter: Sendable {
    /// The most events wanted, 0 or more; `nil` leaves it to the server.
    public var limit: Int?
    /// The types wanted.
    public var types: TypeSelection
    /// The senders wanted.
    public var senders: Selection<UserID>

    /// The filter that lets everything through.
    public static let all = EventFilter(limit: nil, types: .all, senders: .all)

    /// Whether every event is let through, a limit aside.
    public var isAll: Bool { types.isAll && senders.isAll }

    /// Whether an event of that type and sender is wanted; what has no sender, such as account data, is matched by type alone.
    public func allows(type: EventType, sender: UserID?) -> Bool {
        types.allows(type) && (sender.map { senders.allows($0) } ?? true)
    }
}

/// Which events of rooms are wanted.
///
/// [RoomEventFilter](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridfilter_request_roomeventfilter).
public struct RoomEventFilter: Sendable {
    /// By type and sender, and how many.
    public var events: EventFilter
    /// By room.
    public var rooms: Selection<RoomID>
    /// Whether `content` must have (or must not have) a `url`; `nil` if that does not matter.
    public var containsURL: Bool?
    /// Whether only the memberships of those who occur in the timeline are wanted.
    public var lazyLoadMembers: Bool
    /// Whether memberships are repeated that the client has been told already.
    public var includeRedundantMembers: Bool
    /// Whether unread counts are told by thread.
    public var unreadThreadNotifications: Bool
    /// Only events that another event relates to in one of these ways; `nil` if that does not matter.
    public var relatedByRelTypes: Set<ExactString>?
    /// Only events that an event of one of these users relates to; `nil` if that does not matter.
    public var relatedBySenders: Set<UserID>?

    /// The filter that lets everything through.
    public static let all = RoomEventFilter(
        events: .all, rooms: .all, containsURL: nil, lazyLoadMembers: false, includeRedundantMembers: false,
        unreadThreadNotifications: false, relatedByRelTypes: nil, relatedBySenders: nil)

    /// The most events wanted, 0 or more; `nil` leaves it to the server.
    public var limit: Int? { events.limit }

    /// Whether every event of every room is let through, a limit aside.
    public var isAll: Bool { events.isAll && rooms.isAll && containsURL == nil && !needsRelations }

    /// Whether ``allowsRelations(_:)`` has to be asked too.
    public var needsRelations: Bool { relatedByRelTypes != nil || relatedBySenders != nil }

    /// Whether an event is wanted, as far as it can be told from the event alone.
    ///
    /// - Parameters:
    ///   - type: The event's type.
    ///   - sender: The event's sender; `nil` for what has none.
    ///   - room: The event's room.
    ///   - content: The event's content.
    public func allows(type: EventType, sender: UserID?, room: RoomID, content: JSON) -> Bool {
        guard events.allows(type: type, sender: sender), rooms.allows(room) else { return false }
        guard let containsURL else { return true }
        return (content["url"] != nil) == containsURL
    }

    /// Whether an event is wanted, given the events that relate to it.
    public func allowsRelations(_ relations: some Sequence<(type: String, sender: UserID)>) -> Bool {
        guard needsRelations else { return true }
        return relations.contains { relation in
            (relatedByRelTypes?.contains(ExactString(relation.type)) ?? true)
                && (relatedBySenders?.contains(relation.sender) ?? true)
        }
    }
}

/// Which of some identifiers are wanted: those listed, or all, but never those excluded.
public struct Selection<Element: Hashable & Sendable>: Sendable {
    /// What is listed; `nil` for all.
    public var included: Set<Element>?
    /// What is excluded, even if it is listed.
    public var excluded: Set<Element>

    /// Everything.
    public static var all: Selection { Selection(included: nil, excluded: []) }

    /// Whether nothing is ruled out.
    public var isAll: Bool { included == nil && excluded.isEmpty }

    /// Whether the identifier is wanted.
    public func allows(_ element: Element) -> Bool {
        (included?.contains(element) ?? true) && !excluded.contains(element)
    }
}
