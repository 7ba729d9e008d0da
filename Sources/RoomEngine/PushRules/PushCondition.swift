import Matrix

/// What must hold of an event for a rule to match.
///
/// [Conditions](https://spec.matrix.org/v1.19/client-server-api/#conditions).
public enum PushCondition: Sendable, Hashable {
    /// How a number of members is compared.
    public enum Comparison: String, Sendable, Hashable {
        case equal = "=="
        case less = "<"
        case greater = ">"
        case atLeast = ">="
        case atMost = "<="
    }

    /// A property is a text that matches.
    case eventMatch(path: [String], GlobPattern)
    /// A property is exactly that value.
    case eventPropertyIs(path: [String], JSONValue)
    /// A property is a list with exactly that value in it.
    case eventPropertyContains(path: [String], JSONValue)
    /// The body contains the user's display name.
    case containsDisplayName
    /// The number of joined members compares to another.
    case roomMemberCount(Comparison, Int)
    /// The sender has the power to notify in that way.
    case senderNotificationPermission(String)
    /// The event is part of a thread that the user follows, or of one that they do not.
    case threadSubscription(Bool)
    /// Not understood: matches nothing. Kept as it was written.
    case unknown(JSONValue)

    /// Reads a condition. What is not understood or incomplete matches nothing.
    public init(_ json: JSONValue) {
        self = Self.read(json) ?? .unknown(json)
    }

    private static func read(_ json: JSONValue) -> PushCondition? {
        let path = json["key"]?.string.map(PropertyPath.split)
        switch json["kind"]?.string {
        case "event_match":
            guard let path, let pattern = json["pattern"]?.string else { return nil }
            return .eventMatch(path: path, GlobPattern(pattern))
        case "event_property_is":
            guard let path, let value = json["value"], value.isScalar else { return nil }
            return .eventPropertyIs(path: path, value)
        case "event_property_contains":
            guard let path, let value = json["value"], value.isScalar else { return nil }
            return .eventPropertyContains(path: path, value)
        case "contains_display_name": return .containsDisplayName
        case "room_member_count": return json["is"]?.string.flatMap(memberCount)
        case "sender_notification_permission": return (json["key"]?.string).map { .senderNotificationPermission($0) }
        case threadSubscriptionKind:
            guard case .bool(let isSubscribed) = json["subscribed"] else { return nil }
            return .threadSubscription(isSubscribed)
        default: return nil
        }
    }

    private static let threadSubscriptionKind = "io.element.msc4306.thread_subscription"

    private static func memberCount(_ text: String) -> PushCondition? {
        let digits = text.utf8.drop { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: ">") }
        let prefix = String(text.utf8.prefix(text.utf8.count - digits.count)) ?? ""
        guard let comparison = prefix.isEmpty ? .equal : Comparison(rawValue: prefix),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let count = Int(String(digits) ?? "")
        else { return nil }
        return .roomMemberCount(comparison, count)
    }

    /// The condition as clients write it.
    public var json: JSONValue {
        switch self {
        case .eventMatch(let path, let pattern):
            ["kind": "event_match", "key": .string(PropertyPath.join(path)), "pattern": .string(pattern.text)]
        case .eventPropertyIs(let path, let value):
            ["kind": "event_property_is", "key": .string(PropertyPath.join(path)), "value": value]
        case .eventPropertyContains(let path, let value):
            ["kind": "event_property_contains", "key": .string(PropertyPath.join(path)), "value": value]
        case .containsDisplayName: ["kind": "contains_display_name"]
        case .roomMemberCount(let comparison, let count):
            [
                "kind": "room_member_count",
                "is": .string((comparison == .equal ? "" : comparison.rawValue) + String(count)),
            ]
        case .senderNotificationPermission(let key): ["kind": "sender_notification_permission", "key": .string(key)]
        case .threadSubscription(let isSubscribed):
            ["kind": .string(Self.threadSubscriptionKind), "subscribed": .bool(isSubscribed)]
        case .unknown(let json): json
        }
    }
}

extension JSONValue {
    /// Whether rules may compare with the value: a text, an integer, a boolean or null.
    fileprivate var isScalar: Bool {
        switch self {
        case .null, .bool, .integer, .string: true
        case .number, .array, .object: false
        }
    }
}
