import Matrix

/// A user's push rules: their own, and what they have changed about the predefined ones.
///
/// A value: read it, change it, write it back.
public struct PushRuleset: Sendable {
    /// The longest identifier of a rule, in bytes.
    public static let maximumIDBytes = 512
    /// The longest pattern, in bytes.
    public static let maximumPatternBytes = 1024
    /// How many rules of their own a user may have.
    public static let maximumRules = 5000

    /// Whose rules.
    public let user: UserID
    /// The predefined rules.
    public let defaults: DefaultPushRules
    private var own: [PushRuleKind: [PushRule]] = [:]
    private var enabledDefaults: [String: Bool] = [:]
    private var defaultActions: [String: [PushAction]] = [:]

    /// The rules of a user who has changed nothing.
    public init(user: UserID, defaults: DefaultPushRules = .standard) {
        self.user = user
        self.defaults = defaults
    }

    // MARK: reading

    /// The user's own rules of a kind, the most important first.
    public func userRules(_ kind: PushRuleKind) -> [PushRule] { own[kind] ?? [] }

    /// All rules of a kind in the order that they are looked at: the user's before the predefined, but the master rule first.
    public func rules(_ kind: PushRuleKind) -> [PushRule] {
        let predefined = defaults.entries.filter { $0.kind == kind }.map(defaultRule)
        if kind == .override, let master = predefined.first {
            return [master] + userRules(kind) + predefined.dropFirst()
        }
        return userRules(kind) + predefined
    }

    /// The rule of that identifier.
    ///
    /// - Throws: ``PushRuleError/notFound``.
    public func rule(_ kind: PushRuleKind, _ id: String) throws(PushRuleError) -> PushRule {
        let key = ExactString(id)
        guard let rule = rules(kind).first(where: { ExactString($0.id) == key }) else { throw .notFound }
        return rule
    }

    /// A predefined rule with what the user has changed about it.
    func defaultRule(_ entry: DefaultPushRules.Entry) -> PushRule {
        var rule = defaults.rule(entry, for: user)
        if let isEnabled = enabledDefaults[entry.id] { rule.isEnabled = isEnabled }
        if let actions = defaultActions[entry.id] { rule.actions = actions }
        return rule
    }

    /// What clients are told of: the content of
    /// [`m.push_rules`](https://spec.matrix.org/v1.19/client-server-api/#mpush_rules).
    public var content: JSONValue { ["global": global] }

    /// The ruleset `global`.
    public var global: JSONValue {
        var sets: JSONValue = [:]
        for kind in PushRuleKind.allCases {
            let rules = rules(kind)
            // Clients know of this kind only where there is something of it.
            if kind == .postcontent, rules.isEmpty { continue }
            sets[kind.rawValue] = .array(rules.map(\.json))
        }
        return sets
    }

    // MARK: changing

    /// Adds a rule or replaces what it says.
    ///
    /// [`PUT /pushrules/global/{kind}/{ruleId}`](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleid).
    /// A new rule is enabled and, unless a neighbor is named, the most important of its kind; one that there was keeps its place.
    ///
    /// - Parameters:
    ///   - kind: The kind of rule.
    ///   - id: Its identifier.
    ///   - body: The rule as the client wrote it.
    ///   - before: The rule before which it is to stand, as the more important. Goes before `after`.
    ///   - after: The rule after which it is to stand.
    /// - Throws: ``PushRuleError``.
    public mutating func put(
        _ kind: PushRuleKind, _ id: String, _ body: JSON, before: String? = nil, after: String? = nil
    ) throws(PushRuleError) {
        if kind == .postcontent { throw .reservedKind }
        try Self.check(id)
        var rule = PushRule(id: id, actions: try Self.actions(body["actions"]))
        switch kind {
        case .override, .underride: rule.conditions = try Self.conditions(body["conditions"])
        case .content: rule.pattern = try Self.pattern(body["pattern"])
        case .room, .sender, .postcontent: break
        }
        var rules = userRules(kind)
        let key = ExactString(id)
        var place = 0
        if let old = rules.firstIndex(where: { ExactString($0.id) == key }) {
            rule.isEnabled = rules[old].isEnabled
            rules.remove(at: old)
            place = old
        } else if own.values.reduce(0, { $0 + $1.count }) >= Self.maximumRules {
            throw .tooManyRules
        }
        if let neighbor = before ?? after {
            let neighborKey = ExactString(neighbor)
            guard let index = rules.firstIndex(where: { ExactString($0.id) == neighborKey }) else {
                throw .unknownNeighbor(neighbor)
            }
            place = before != nil ? index : index + 1
        }
        rules.insert(rule, at: place)
        own[kind] = rules
    }

    /// Removes one of the user's own rules.
    ///
    /// - Throws: ``PushRuleError/notFound``; ``PushRuleError/reservedID`` for a predefined rule.
    public mutating func remove(_ kind: PushRuleKind, _ id: String) throws(PushRuleError) {
        if defaultEntry(kind, id) != nil { throw .reservedID }
        let index = try ownIndex(kind, id)
        own[kind]?.remove(at: index)
    }

    /// Enables or disables a rule.
    ///
    /// - Throws: ``PushRuleError/notFound``.
    public mutating func setEnabled(_ kind: PushRuleKind, _ id: String, _ isEnabled: Bool) throws(PushRuleError) {
        if let entry = defaultEntry(kind, id) {
            enabledDefaults[entry.id] = isEnabled == entry.isEnabled ? nil : isEnabled
            return
        }
        let index = try ownIndex(kind, id)
        own[kind]?[index].isEnabled = isEnabled
    }

    /// Gives a rule other actions.
    ///
    /// - Parameter actions: The list as the client wrote it.
    /// - Throws: ``PushRuleError/notFound``, ``PushRuleError/invalidActions``.
    public mutating func setActions(_ kind: PushRuleKind, _ id: String, _ actions: JSON?) throws(PushRuleError) {
        let actions = try Self.actions(actions)
        if let entry = defaultEntry(kind, id) {
            defaultActions[entry.id] = actions == entry.actions ? nil : actions
            return
        }
        let index = try ownIndex(kind, id)
        own[kind]?[index].actions = actions
    }

    /// Gives a room the rule that another room has, unless it has one of its own.
    ///
    /// - Returns: Whether there was something to copy.
    public mutating func copyRoomRule(from old: String, to new: String) -> Bool {
        var rules = userRules(.room)
        guard !rules.contains(where: { ExactString($0.id) == ExactString(new) }),
            let index = rules.firstIndex(where: { ExactString($0.id) == ExactString(old) }),
            own.values.reduce(0, { $0 + $1.count }) < Self.maximumRules
        else { return false }
        var rule = PushRule(id: new, actions: rules[index].actions)
        rule.isEnabled = rules[index].isEnabled
        rules.insert(rule, at: index)
        own[.room] = rules
        return true
    }

    private func defaultEntry(_ kind: PushRuleKind, _ id: String) -> DefaultPushRules.Entry? {
        defaults.entries.first { $0.kind == kind && $0.id.utf8.elementsEqual(id.utf8) }
    }

    private func ownIndex(_ kind: PushRuleKind, _ id: String) throws(PushRuleError) -> Int {
        let key = ExactString(id)
        guard let index = userRules(kind).firstIndex(where: { ExactString($0.id) == key }) else { throw .notFound }
        return index
    }
}

// MARK: what clients may write

extension PushRuleset {
    private static func check(_ id: String) throws(PushRuleError) {
        if id.utf8.first == UInt8(ascii: ".") { throw .reservedID }
        let isInvalid = id.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") || $0 == 0 }
        guard !id.isEmpty, id.utf8.count <= maximumIDBytes, !isInvalid else { throw .invalidID }
    }

    private static func actions(_ json: JSON?) throws(PushRuleError) -> [PushAction] {
        guard let json, json.isArray else { throw .invalidActions }
        var actions: [PushAction] = []
        for element in json.elements {
            guard let action = PushAction(element.value) else { throw .invalidActions }
            actions.append(action)
        }
        return actions
    }

    private static func conditions(_ json: JSON?) throws(PushRuleError) -> [JSONValue] {
        guard let json else { return [] }
        guard json.isArray else { throw .invalidConditions }
        var conditions: [JSONValue] = []
        for element in json.elements {
            guard element["kind"]?.string != nil else { throw .invalidConditions }
            if let pattern = element["pattern"]?.string, pattern.utf8.count > maximumPatternBytes {
                throw .patternTooLong
            }
            conditions.append(element.value)
        }
        return conditions
    }

    private static func pattern(_ json: JSON?) throws(PushRuleError) -> String {
        guard let pattern = json?.string else { throw .missingPattern }
        guard pattern.utf8.count <= maximumPatternBytes else { throw .patternTooLong }
        return pattern
    }
}

// MARK: storing

extension PushRuleset {
    /// What is to be stored: the user's own rules, and what is different about predefined ones.
    public var stored: JSONValue {
        var rules: JSONValue = [:]
        for kind in PushRuleKind.allCases where !userRules(kind).isEmpty {
            rules[kind.rawValue] = .array(userRules(kind).map(\.json))
        }
        var changed: JSONValue = [:]
        for entry in defaults.entries {
            var change: JSONValue = [:]
            change["enabled"] = enabledDefaults[entry.id].map { .bool($0) }
            change["actions"] = defaultActions[entry.id].map { .array($0.map(\.json)) }
            if change != [:] { changed[entry.id] = change }
        }
        return ["rules": rules, "defaults": changed]
    }

    /// Reads what was stored. Whatever is not understood is left out.
    public init(stored: JSON, user: UserID, defaults: DefaultPushRules = .standard) {
        self.init(user: user, defaults: defaults)
        func actions(_ json: JSON?) -> [PushAction] { json?.elements.compactMap { PushAction($0.value) } ?? [] }
        for kind in PushRuleKind.allCases {
            for json in stored["rules"]?[kind.rawValue]?.elements ?? JSON.emptyObject.elements {
                guard let id = json["rule_id"]?.string else { continue }
                own[kind, default: []].append(
                    PushRule(
                        id: id, isEnabled: json["enabled"]?.bool ?? true, actions: actions(json["actions"]),
                        conditions: json["conditions"]?.elements.map(\.value), pattern: json["pattern"]?.string))
            }
        }
        for entry in defaults.entries {
            guard let change = stored["defaults"]?[entry.id] else { continue }
            enabledDefaults[entry.id] = change["enabled"]?.bool
            if let json = change["actions"] { defaultActions[entry.id] = actions(json) }
        }
    }
}
