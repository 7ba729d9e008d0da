import Matrix

/// Who may join a room: `join_rule` of [`m.room.join_rules`](https://spec.matrix.org/v1.19/client-server-api/#mroomjoin_rules).
public enum JoinRule: String, Sendable, Hashable, CaseIterable {
    case `public`, invite, knock, restricted, `private`
    case knockRestricted = "knock_restricted"

    /// The rule that an event sets, or `nil` if it names none that exists: nobody can join by such a rule.
    public init?(of event: Event) {
        guard let name = event.content["join_rule"]?.string else { return nil }
        self.init(name: name)
    }

    /// The rule of that name. Names compare as bytes.
    public init?(name: String) {
        let name = ExactString(name)
        guard let rule = Self.allCases.first(where: { ExactString($0.rawValue) == name }) else { return nil }
        self = rule
    }
}
