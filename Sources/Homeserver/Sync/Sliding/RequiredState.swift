import Matrix

/// Which state of a room a client wants to be told of.
///
/// [RequiredStateRequest](https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4186-simplified-sliding-sync.md#requiredstaterequest).
public struct RequiredState: Sendable, Hashable {
    /// Some types and state keys.
    public struct Pattern: Sendable, Hashable {
        /// The event's type; `nil` for all types.
        public let type: EventType?
        /// The event's state key; `nil` for all of them.
        public let key: ExactString?

        /// A pattern.
        public init(type: EventType?, key: ExactString?) {
            self.type = type
            self.key = key
        }
    }

    /// What is wanted with type and state key.
    public let exact: Set<StateKey>
    /// Types of which everything is wanted.
    public let types: Set<EventType>
    /// State keys for which events of every type are wanted.
    public let keys: Set<ExactString>
    /// Whether everything is wanted.
    public let isAll: Bool
    /// What is not wanted even so.
    public let excluded: Set<Pattern>
    /// Whether of memberships only those are wanted that occur in the timeline, and those that are named.
    public let lazyMembers: Bool

    /// Nothing.
    public static let none = RequiredState(including: [], excluding: [], lazyMembers: false)

    /// What matches one of `included` and none of `excluded`.
    public init(including included: [Pattern], excluding excluded: [Pattern], lazyMembers: Bool) {
        var exact: Set<StateKey> = []
        var types: Set<EventType> = []
        var keys: Set<ExactString> = []
        var isAll = false
        for pattern in included {
            switch (pattern.type, pattern.key) {
            case (let type?, let key?): exact.insert(StateKey(type, key.string))
            case (let type?, nil): types.insert(type)
            case (nil, let key?): keys.insert(key)
            case (nil, nil): isAll = true
            }
        }
        self.exact = exact
        self.types = types
        self.keys = keys
        self.isAll = isAll
        self.excluded = Set(excluded)
        self.lazyMembers = lazyMembers
    }

    /// What pairs of type and state key say, as the experimental form has them: `*` is a wildcard, `$ME` the user, and `$LAZY` among
    /// the memberships asks for those that occur in the timeline.
    public init(pairs: [(type: String, key: String)], for user: UserID) {
        var included: [Pattern] = []
        var isLazy = false
        for pair in pairs {
            let type = pair.type == "*" ? nil : EventType(pair.type)
            switch pair.key {
            case "$LAZY":
                if type == .member { isLazy = true }
            case "*": included.append(Pattern(type: type, key: nil))
            case "$ME": included.append(Pattern(type: type, key: ExactString(user.string)))
            default: included.append(Pattern(type: type, key: ExactString(pair.key)))
            }
        }
        self.init(including: included, excluding: [], lazyMembers: isLazy)
    }

    /// How many elements say what is wanted.
    public var size: Int { exact.count + types.count + keys.count + excluded.count + (isAll ? 1 : 0) }

    /// Whether matching needs a look at every entry of a state.
    var needsWholeState: Bool { isAll || !keys.isEmpty }

    /// Whether every membership is wanted, whoever speaks.
    var includesAllMembers: Bool {
        (isAll || types.contains(.member)) && !lazyMembers
            && !excluded.contains { ($0.type ?? .member) == .member && $0.key == nil }
    }

    /// Whether an event of the state is wanted, what the timeline asks for aside.
    func matches(_ key: StateKey) -> Bool {
        let isIncluded: Bool
        if lazyMembers && key.type == .member {
            isIncluded = exact.contains(key) || keys.contains(key.key)
        } else {
            isIncluded = isAll || exact.contains(key) || types.contains(key.type) || keys.contains(key.key)
        }
        return isIncluded && !isExcluded(key)
    }

    private func isExcluded(_ key: StateKey) -> Bool {
        guard !excluded.isEmpty else { return false }
        return excluded.contains { ($0.type ?? key.type) == key.type && ($0.key ?? key.key) == key.key }
    }
}

/// The state that several rules want of one room: whatever one of them wants.
///
/// An object, since a connection remembers for each room what it was sent by: rooms share it.
final class CombinedState: Sendable, Hashable {
    let parts: Set<RequiredState>
    /// Whether memberships are wanted as they occur in the timeline.
    let lazyMembers: Bool

    init(_ parts: Set<RequiredState>) {
        self.parts = parts
        lazyMembers = parts.contains { $0.lazyMembers } && !parts.contains { $0.includesAllMembers }
    }

    /// How many different wishes of one room are remembered; then those that are no longer expressed are forgotten, which costs
    /// sending what they brought once more.
    private static let limit = 8

    func matches(_ key: StateKey) -> Bool { parts.contains { $0.matches(key) } }

    /// Everything that either wants.
    func union(_ other: CombinedState) -> CombinedState {
        if self === other { return self }
        let all = parts.union(other.parts)
        if all == parts { return self }
        return all.count > Self.limit ? other : CombinedState(all)
    }

    static func == (left: CombinedState, right: CombinedState) -> Bool {
        left === right || left.parts == right.parts
    }

    func hash(into hasher: inout Hasher) { hasher.combine(parts) }
}
