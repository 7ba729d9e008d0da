import Matrix

/// The rules that every user starts with.
///
/// [Predefined rules](https://spec.matrix.org/v1.19/client-server-api/#predefined-rules). The three that looked for names in the text, which
/// Matrix 1.17 removed, can be had back for clients that do not mark mentions; they leave events alone that do.
public struct DefaultPushRules: Sendable {
    /// A predefined rule.
    struct Entry: Sendable {
        let kind: PushRuleKind
        let id: String
        var isEnabled = true
        /// Looks for mentions in the text.
        var isLegacy = false
        let conditions: [DefaultCondition]
        let actions: [PushAction]
    }

    /// The conditions that predefined rules are made of.
    enum DefaultCondition: Sendable {
        case condition(PushCondition)
        case stateKeyIsUser
        case mentionsUser
        case containsDisplayName
        case bodyContainsLocalpart
        case threadSubscription(Bool)
    }

    /// At most as many as there are bits in a mask.
    let entries: [Entry]

    /// The rules of the specification.
    public static let standard = DefaultPushRules(entries: standardEntries)
    /// The rules of the specification, and those that look for names in the text.
    public static let withLegacyMentions = DefaultPushRules(entries: legacyEntries)

    /// These rules, and those about threads: who follows one is notified of it, who does not is not, whatever is set for the room.
    ///
    /// [MSC4306](https://github.com/matrix-org/matrix-spec-proposals/pull/4306)
    public var withThreadSubscriptions: DefaultPushRules { DefaultPushRules(entries: entries + Self.threadEntries) }

    /// Whether there are rules about threads.
    public var followsThreads: Bool { entries.contains { $0.kind == .postcontent } }

    private static let threadEntries: [Entry] = [
        Entry(
            kind: .postcontent, id: ".io.element.msc4306.rule.unsubscribed_thread",
            conditions: [.threadSubscription(false)], actions: []),
        Entry(
            kind: .postcontent, id: ".io.element.msc4306.rule.subscribed_thread",
            conditions: [.threadSubscription(true)], actions: soundly),
    ]

    private static func type(_ type: EventType) -> DefaultCondition {
        .condition(.eventMatch(path: ["type"], GlobPattern(type.string)))
    }

    private static func match(_ key: String, _ pattern: String) -> DefaultCondition {
        .condition(.eventMatch(path: PropertyPath.split(key), GlobPattern(pattern)))
    }

    private static let twoMembers = DefaultCondition.condition(.roomMemberCount(.equal, 2))
    private static let mayNotifyRoom = DefaultCondition.condition(.senderNotificationPermission("room"))
    private static let soundly: [PushAction] = [.notify, .defaultSound]

    private static let standardEntries: [Entry] = [
        Entry(kind: .override, id: ".m.rule.master", isEnabled: false, conditions: [], actions: []),
        Entry(
            kind: .override, id: ".m.rule.suppress_notices", conditions: [match("content.msgtype", "m.notice")],
            actions: []),
        Entry(
            kind: .override, id: ".m.rule.invite_for_me",
            conditions: [type(.member), match("content.membership", "invite"), .stateKeyIsUser], actions: soundly),
        Entry(kind: .override, id: ".m.rule.member_event", conditions: [type(.member)], actions: []),
        Entry(
            kind: .override, id: ".m.rule.is_user_mention", conditions: [.mentionsUser],
            actions: [.notify, .defaultSound, .highlight]),
        Entry(
            kind: .override, id: ".m.rule.is_room_mention",
            conditions: [
                .condition(.eventPropertyIs(path: ["content", "m.mentions", "room"], .bool(true))), mayNotifyRoom,
            ], actions: [.notify, .highlight]),
        Entry(
            kind: .override, id: ".m.rule.tombstone", conditions: [type(.tombstone), match("state_key", "")],
            actions: [.notify, .highlight]),
        Entry(kind: .override, id: ".m.rule.reaction", conditions: [type(.reaction)], actions: []),
        Entry(
            kind: .override, id: ".m.rule.room.server_acl", conditions: [type(.serverACL), match("state_key", "")],
            actions: []),
        Entry(
            kind: .override, id: ".m.rule.suppress_edits",
            conditions: [
                .condition(.eventPropertyIs(path: ["content", "m.relates_to", "rel_type"], "m.replace"))
            ], actions: []),
        Entry(
            kind: .underride, id: ".m.rule.call", conditions: [type("m.call.invite")],
            actions: [.notify, .setTweak("sound", value: "ring")]),
        Entry(
            kind: .underride, id: ".m.rule.encrypted_room_one_to_one", conditions: [twoMembers, type(.encrypted)],
            actions: soundly),
        Entry(
            kind: .underride, id: ".m.rule.room_one_to_one", conditions: [twoMembers, type(.message)], actions: soundly),
        Entry(kind: .underride, id: ".m.rule.message", conditions: [type(.message)], actions: [.notify]),
        Entry(kind: .underride, id: ".m.rule.encrypted", conditions: [type(.encrypted)], actions: [.notify]),
    ]

    /// Each stands where it stood in Matrix 1.16.
    private static let legacyEntries: [Entry] = standardEntries.flatMap { entry -> [Entry] in
        switch entry.id {
        case ".m.rule.is_user_mention":
            [
                entry,
                Entry(
                    kind: .override, id: ".m.rule.contains_display_name", isLegacy: true,
                    conditions: [.containsDisplayName], actions: [.notify, .defaultSound, .highlight]),
            ]
        case ".m.rule.is_room_mention":
            [
                entry,
                Entry(
                    kind: .override, id: ".m.rule.roomnotif", isLegacy: true,
                    conditions: [match("content.body", "@room"), mayNotifyRoom], actions: [.notify, .highlight]),
            ]
        case ".m.rule.call":
            [
                Entry(
                    kind: .content, id: ".m.rule.contains_user_name", isLegacy: true,
                    conditions: [.bodyContainsLocalpart], actions: [.notify, .defaultSound, .highlight]),
                entry,
            ]
        default: [entry]
        }
    }

    /// A predefined rule as that user is told of it.
    func rule(_ entry: Entry, for user: UserID) -> PushRule {
        if entry.kind == .content {
            return PushRule(
                id: entry.id, isDefault: true, isEnabled: entry.isEnabled, actions: entry.actions,
                pattern: user.localpart)
        }
        return PushRule(
            id: entry.id, isDefault: true, isEnabled: entry.isEnabled, actions: entry.actions,
            conditions: entry.conditions.map { $0.json(for: user) })
    }
}

extension DefaultPushRules.DefaultCondition {
    func json(for user: UserID) -> JSONValue {
        switch self {
        case .condition(let condition): condition.json
        case .stateKeyIsUser: ["kind": "event_match", "key": "state_key", "pattern": .string(user.string)]
        case .mentionsUser:
            ["kind": "event_property_contains", "key": "content.m\\.mentions.user_ids", "value": .string(user.string)]
        case .containsDisplayName: ["kind": "contains_display_name"]
        case .bodyContainsLocalpart: ["kind": "event_match", "key": "content.body", "pattern": .string(user.localpart)]
        case .threadSubscription(let isSubscribed): PushCondition.threadSubscription(isSubscribed).json
        }
    }
}
