import Matrix

/// What rules ask of the user whose they are.
struct PushReader {
    /// The user's display name in the room.
    let displayName: () -> String?
    /// Whether the user follows the thread of that root.
    let follows: (EventID) -> Bool
}

/// An event about which many users' rules are asked: what they have in common is found out once.
///
/// Not to be shared between tasks; an event's local members are gone through one after the other.
public final class PushEvent {
    /// The event.
    public let event: Event
    /// The number of joined members of the room.
    public let memberCount: Int
    private let powerLevels: PowerLevels?
    private let defaults: DefaultPushRules
    /// The root of the thread that the event is part of.
    private(set) lazy var thread: EventID? = event.relation.flatMap { $0.type == Relation.thread ? $0.target : nil }
    private lazy var senderLevel = powerLevels?.level(of: event.sender) ?? .level(0)
    private lazy var body: FoldedText? = event.content["body"]?.string.map { FoldedText($0) }
    private lazy var mentionedUsers: Set<ExactString>? = {
        guard let list = event.content["m.mentions"]?["user_ids"], list.isArray else { return nil }
        return Set(list.elements.lazy.compactMap { $0.string.map { ExactString($0) } })
    }()
    /// The user that the event is a state of, if its key names one.
    private(set) lazy var stateKey: ExactString? = event.stateKey
    /// A bit for every predefined rule whose conditions hold as far as they are the same for everyone.
    private(set) lazy var candidates: UInt32 = {
        // Clients that mark mentions do not want them guessed.
        let marksMentions = event.content["m.mentions"] != nil
        var mask: UInt32 = 0
        for (index, entry) in defaults.entries.enumerated() where !(entry.isLegacy && marksMentions) {
            let holds = entry.conditions.allSatisfy { condition in
                guard case .condition(let condition) = condition else { return true }
                return matches(condition, reader: nil)
            }
            if holds { mask |= 1 << UInt32(index) }
        }
        return mask
    }()

    /// An event to be evaluated.
    ///
    /// - Parameters:
    ///   - event: The event.
    ///   - memberCount: The number of joined members of the room.
    ///   - powerLevels: Who may do what in the room; `nil` if that is unknown, so that nobody may notify everybody.
    ///   - defaults: The predefined rules; the same that the users' rules were compiled with.
    public init(
        _ event: Event, memberCount: Int, powerLevels: PowerLevels?, defaults: DefaultPushRules = .standard
    ) {
        self.event = event
        self.memberCount = memberCount
        self.powerLevels = powerLevels
        self.defaults = defaults
    }

    /// Whether a condition holds.
    ///
    /// - Parameter reader: The user whose rule it is; `nil` where no condition may ask for them.
    func matches(_ condition: PushCondition, reader: PushReader?) -> Bool {
        switch condition {
        case .eventMatch(let path, let pattern):
            if path == ["content", "body"] { return body.map(pattern.matchesWords) ?? false }
            return text(path).map(pattern.matches) ?? false
        case .eventPropertyIs(let path, let value):
            if case .string(let string) = value { return text(path).map { ExactString($0) } == string }
            return property(path).map { Self.equals($0, value) } ?? false
        case .eventPropertyContains(let path, let value):
            return property(path)?.elements.contains { Self.equals($0, value) } ?? false
        case .containsDisplayName:
            guard let name = reader?.displayName(), !name.isEmpty else { return false }
            return bodyContains(name)
        case .roomMemberCount(let comparison, let count): return Self.compares(memberCount, comparison, count)
        case .senderNotificationPermission(let key):
            return powerLevels.map { senderLevel >= $0.required(toNotify: key) } ?? false
        case .threadSubscription(let isSubscribed):
            guard let thread, let reader else { return false }
            return reader.follows(thread) == isSubscribed
        case .unknown: return false
        }
    }

    /// Whether the body contains a text, wildcards standing for themselves, as words of its own.
    func bodyContains(_ text: String) -> Bool { body?.containsWords(Array(text.lowercased().utf8)) ?? false }

    /// Whether `m.mentions` names a user.
    func mentions(_ user: ExactString) -> Bool { mentionedUsers?.contains(user) ?? false }

    private func property(_ path: [String]) -> JSON? {
        var json: JSON? = event.json
        for name in path { json = json?[name] }
        return json
    }

    /// A text property; the identifiers that are not part of every event's own text are part of what clients see.
    private func text(_ path: [String]) -> String? {
        if path.count == 1 {
            if path[0] == "event_id" { return event.eventID.string }
            if path[0] == "room_id" { return event.roomID.string }
        }
        return property(path)?.string
    }

    private static func equals(_ json: JSON, _ value: JSONValue) -> Bool {
        switch value {
        case .null: json.isNull
        case .bool(let bool): json.bool == bool
        case .integer(let integer): json.int == integer
        case .string(let string): json.string.map { ExactString($0) } == string
        case .number, .array, .object: false
        }
    }

    private static func compares(_ left: Int, _ comparison: PushCondition.Comparison, _ right: Int) -> Bool {
        switch comparison {
        case .equal: left == right
        case .less: left < right
        case .greater: left > right
        case .atLeast: left >= right
        case .atMost: left <= right
        }
    }
}
