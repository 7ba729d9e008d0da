/// The type of an event, such as `m.room.message`. Any text.
public struct EventType: Hashable, Comparable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    private let text: ExactString

    /// The text.
    public var string: String { text.string }
    /// The text.
    public var description: String { string }

    /// A type of that name.
    public init(_ string: String) { text = ExactString(string) }
    /// A type of that name.
    public init(stringLiteral value: String) { text = ExactString(value) }

    /// Whether `left` comes first in the order of bytes.
    public static func < (left: EventType, right: EventType) -> Bool { left.text < right.text }
}

extension EventType {
    /// `m.room.aliases`.
    public static let aliases: EventType = "m.room.aliases"
    /// `m.room.avatar`.
    public static let avatar: EventType = "m.room.avatar"
    /// `m.room.canonical_alias`.
    public static let canonicalAlias: EventType = "m.room.canonical_alias"
    /// `m.room.create`.
    public static let create: EventType = "m.room.create"
    /// `m.room.encrypted`.
    public static let encrypted: EventType = "m.room.encrypted"
    /// `m.room.encryption`.
    public static let encryption: EventType = "m.room.encryption"
    /// `m.room.guest_access`.
    public static let guestAccess: EventType = "m.room.guest_access"
    /// `m.room.history_visibility`.
    public static let historyVisibility: EventType = "m.room.history_visibility"
    /// `m.room.join_rules`.
    public static let joinRules: EventType = "m.room.join_rules"
    /// `m.room.member`.
    public static let member: EventType = "m.room.member"
    /// `m.room.message`.
    public static let message: EventType = "m.room.message"
    /// `m.room.name`.
    public static let name: EventType = "m.room.name"
    /// `m.room.pinned_events`.
    public static let pinnedEvents: EventType = "m.room.pinned_events"
    /// `m.room.power_levels`.
    public static let powerLevels: EventType = "m.room.power_levels"
    /// `m.reaction`.
    public static let reaction: EventType = "m.reaction"
    /// `m.room.redaction`.
    public static let redaction: EventType = "m.room.redaction"
    /// `m.room.server_acl`.
    public static let serverACL: EventType = "m.room.server_acl"
    /// `m.space.child`.
    public static let spaceChild: EventType = "m.space.child"
    /// `m.room.policy`.
    public static let policy: EventType = "m.room.policy"
    /// `m.room.third_party_invite`.
    public static let thirdPartyInvite: EventType = "m.room.third_party_invite"
    /// `m.room.tombstone`.
    public static let tombstone: EventType = "m.room.tombstone"
    /// `m.room.topic`.
    public static let topic: EventType = "m.room.topic"
}

/// What a state event is the latest of: its type and its state key.
public struct StateKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The event's type.
    public let type: EventType
    /// The event's `state_key`.
    public let key: ExactString

    /// The pair of `type` and `key`.
    public init(_ type: EventType, _ key: String = "") {
        self.type = type
        self.key = ExactString(key)
    }

    /// The membership of a user.
    public static func member(_ user: UserID) -> StateKey { StateKey(.member, user.string) }

    /// The text.
    public var description: String { "(\(type), \(key))" }

    /// Whether `left` comes first in the order of bytes.
    public static func < (left: StateKey, right: StateKey) -> Bool {
        left.type == right.type ? left.key < right.key : left.type < right.type
    }
}
