import Matrix

/// The kinds of push rule, in the order that they are checked.
///
/// [Push rules](https://spec.matrix.org/v1.19/client-server-api/#push-rules).
public enum PushRuleKind: String, Sendable, Hashable, CaseIterable {
    case override, content
    /// Between what an event says and where it was said: rules of the server's own about threads
    /// ([MSC4306](https://github.com/matrix-org/matrix-spec-proposals/pull/4306)).
    case postcontent
    case room, sender, underride

    /// The kind of that name. Names compare as bytes.
    public init?(name: String) {
        guard let kind = Self.allCases.first(where: { $0.rawValue.utf8.elementsEqual(name.utf8) }) else { return nil }
        self = kind
    }
}

/// What a matching rule does.
///
/// [Actions](https://spec.matrix.org/v1.19/client-server-api/#actions).
public enum PushAction: Sendable, Hashable {
    /// The event makes a notification.
    case notify
    /// The notification carries a tweak, such as a sound.
    case setTweak(ExactString, value: JSONValue?)

    /// An action of old, which does nothing (any more). It is kept for the clients that wrote it and look for it.
    case historical(ExactString)

    private static let historicalNames: Set<ExactString> = ["dont_notify", "coalesce"]

    /// The action that a JSON value stands for; `nil` for anything else.
    public init?(_ value: JSONValue) {
        let name = value.string.map { ExactString($0) }
        if name == "notify" {
            self = .notify
        } else if let name, Self.historicalNames.contains(name) {
            self = .historical(name)
        } else if let name = value["set_tweak"]?.string {
            self = .setTweak(ExactString(name), value: value["value"])
        } else {
            return nil
        }
    }

    /// The action as clients write it.
    public var json: JSONValue {
        switch self {
        case .notify: return "notify"
        case .historical(let name): return .string(name.string)
        case .setTweak(let name, let value):
            var action: JSONValue = ["set_tweak": .string(name)]
            action["value"] = value
            return action
        }
    }

    static let defaultSound = PushAction.setTweak("sound", value: "default")
    static let highlight = PushAction.setTweak("highlight", value: nil)
}

/// A push rule: when it matches an event, and what it does then.
public struct PushRule: Sendable, Hashable {
    /// The identifier, unique within its kind.
    public let id: String
    /// Whether the rule is one of the server's, which users can only disable or give other actions.
    public let isDefault: Bool
    /// Whether the rule is looked at at all.
    public var isEnabled: Bool
    /// What it does.
    public var actions: [PushAction]
    /// What must hold, as it was written; for `override` and `underride` rules.
    public var conditions: [JSONValue]?
    /// The pattern that the body must match; for `content` rules.
    public var pattern: String?

    /// A rule.
    public init(
        id: String, isDefault: Bool = false, isEnabled: Bool = true, actions: [PushAction],
        conditions: [JSONValue]? = nil, pattern: String? = nil
    ) {
        self.id = id
        self.isDefault = isDefault
        self.isEnabled = isEnabled
        self.actions = actions
        self.conditions = conditions
        self.pattern = pattern
    }

    /// The rule as clients are told of it
    /// ([`PushRule`](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrules_definition_pushrule)).
    public var json: JSONValue {
        var rule: JSONValue = [
            "actions": .array(actions.map(\.json)), "default": .bool(isDefault), "enabled": .bool(isEnabled),
            "rule_id": .string(id),
        ]
        rule["conditions"] = conditions.map { .array($0) }
        rule["pattern"] = pattern.map { .string($0) }
        return rule
    }
}
