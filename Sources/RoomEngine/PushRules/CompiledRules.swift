import Matrix

/// What a user's rules make of an event.
public struct PushOutcome: Sendable, Hashable {
    /// The actions of the rule that matched.
    public let actions: [PushAction]
    /// Whether the user is to be notified.
    public let notifies: Bool
    /// Whether the event is to stand out.
    public let highlights: Bool
    /// The sound to be played.
    public let sound: String?

    /// The outcome of a rule.
    public init(_ actions: [PushAction]) {
        self.actions = actions
        var highlights = false
        var sound: String?
        for case .setTweak(let name, let value) in actions {
            // Without a value, highlighting is meant.
            if name == "highlight" { highlights = value != .bool(false) }
            if name == "sound" { sound = value?.string }
        }
        notifies = actions.contains(.notify)
        self.highlights = highlights
        self.sound = sound
    }

    /// No rule matched, or one that does nothing.
    public static let nothing = PushOutcome([])
}

/// A user's rules in the form in which they are evaluated, for every message to a room once per member.
public final class CompiledRules: Sendable {
    private struct Rule: Sendable {
        let conditions: [PushCondition]
        let outcome: PushOutcome
    }

    private let user: UserID
    private let userKey: ExactString
    private let localpart: String
    private let override: [Rule]
    private let content: [Rule]
    private let rooms: [ExactString: PushOutcome]
    private let senders: [ExactString: PushOutcome]
    private let underride: [Rule]
    private let defaults: DefaultPushRules
    /// A bit for every predefined rule that is enabled.
    private let enabled: UInt32
    private let defaultOutcomes: [PushOutcome]

    /// The masks of each kind of predefined rule, `.m.rule.master` apart.
    private let overrideMask: UInt32
    private let contentMask: UInt32
    private let postcontentMask: UInt32
    private let underrideMask: UInt32

    /// Compiles a user's rules.
    public init(_ ruleset: PushRuleset) {
        user = ruleset.user
        userKey = ExactString(ruleset.user.string)
        localpart = ruleset.user.localpart
        defaults = ruleset.defaults
        func compile(_ kind: PushRuleKind) -> [Rule] {
            ruleset.userRules(kind).filter(\.isEnabled).map { rule in
                var conditions = (rule.conditions ?? []).map { PushCondition($0) }
                if kind == .content {
                    conditions = [.eventMatch(path: ["content", "body"], GlobPattern(rule.pattern ?? ""))]
                }
                return Rule(conditions: conditions, outcome: PushOutcome(rule.actions))
            }
        }
        func byID(_ kind: PushRuleKind) -> [ExactString: PushOutcome] {
            var outcomes: [ExactString: PushOutcome] = [:]
            for rule in ruleset.userRules(kind) where rule.isEnabled {
                outcomes[ExactString(rule.id)] = PushOutcome(rule.actions)
            }
            return outcomes
        }
        override = compile(.override)
        content = compile(.content)
        underride = compile(.underride)
        rooms = byID(.room)
        senders = byID(.sender)
        var enabled: UInt32 = 0
        var masks: [PushRuleKind: UInt32] = [:]
        var outcomes: [PushOutcome] = []
        for (index, entry) in ruleset.defaults.entries.enumerated() {
            let bit: UInt32 = 1 << UInt32(index)
            let rule = ruleset.defaultRule(entry)
            if rule.isEnabled { enabled |= bit }
            if index > 0 { masks[entry.kind, default: 0] |= bit }
            outcomes.append(PushOutcome(rule.actions))
        }
        self.enabled = enabled
        defaultOutcomes = outcomes
        overrideMask = masks[.override] ?? 0
        contentMask = masks[.content] ?? 0
        postcontentMask = masks[.postcontent] ?? 0
        underrideMask = masks[.underride] ?? 0
    }

    /// What the rules make of an event: the outcome of the first that matches.
    ///
    /// Nothing for one's own events, and if no rule matches.
    ///
    /// - Parameters:
    ///   - event: The event.
    ///   - follows: Whether the user follows a thread, by its root; only asked if a rule wants to know.
    ///   - displayName: The user's display name in the room; only asked for if a rule looks for it.
    public func evaluate(
        _ event: PushEvent, follows: (EventID) -> Bool = { _ in false }, displayName: () -> String?
    ) -> PushOutcome {
        if event.event.sender == user { return .nothing }
        // The master rule comes before everything.
        let candidates = event.candidates & enabled
        if candidates & 1 != 0 { return defaultOutcomes[0] }
        return withoutActuallyEscaping(displayName) { displayName in
            withoutActuallyEscaping(follows) { follows in
                outcome(of: event, candidates, PushReader(displayName: displayName, follows: follows))
            }
        }
    }

    private func outcome(of event: PushEvent, _ candidates: UInt32, _ reader: PushReader) -> PushOutcome {
        first(override, event, reader)
            ?? firstDefault(candidates & overrideMask, event, reader)
            ?? first(content, event, reader)
            ?? firstDefault(candidates & contentMask, event, reader)
            ?? firstDefault(candidates & postcontentMask, event, reader)
            ?? (rooms.isEmpty ? nil : rooms[ExactString(event.event.roomID.string)])
            ?? (senders.isEmpty ? nil : senders[ExactString(event.event.sender.string)])
            ?? first(underride, event, reader)
            ?? firstDefault(candidates & underrideMask, event, reader)
            ?? .nothing
    }

    private func first(_ rules: [Rule], _ event: PushEvent, _ reader: PushReader) -> PushOutcome? {
        for rule in rules where rule.conditions.allSatisfy({ event.matches($0, reader: reader) }) {
            return rule.outcome
        }
        return nil
    }

    private func firstDefault(_ candidates: UInt32, _ event: PushEvent, _ reader: PushReader) -> PushOutcome? {
        var left = candidates
        while left != 0 {
            let index = left.trailingZeroBitCount
            left &= left - 1
            let holds = defaults.entries[index].conditions.allSatisfy { condition in
                switch condition {
                case .condition: true
                case .stateKeyIsUser: event.stateKey == userKey
                case .mentionsUser: event.mentions(userKey)
                case .containsDisplayName: reader.displayName().map { !$0.isEmpty && event.bodyContains($0) } ?? false
                case .bodyContainsLocalpart: !localpart.isEmpty && event.bodyContains(localpart)
                case .threadSubscription(let wanted): event.thread.map { reader.follows($0) == wanted } ?? false
                }
            }
            if holds { return defaultOutcomes[index] }
        }
        return nil
    }
}
