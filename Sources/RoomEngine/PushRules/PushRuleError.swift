/// Why a change of push rules is refused.
public enum PushRuleError: Error, Sendable, Hashable {
    /// The identifier begins with a dot, which is for the server's own rules.
    case reservedID
    /// The identifier is empty, too long, or has a slash or a backslash.
    case invalidID
    /// Rules of that kind are the server's.
    case reservedKind
    /// There is no such rule.
    case notFound
    /// `before` or `after` names no rule of the user's of that kind.
    case unknownNeighbor(String)
    /// An action that does not exist, or no list of actions.
    case invalidActions
    /// Conditions that are no list of objects with a `kind`.
    case invalidConditions
    /// A content rule without a pattern.
    case missingPattern
    /// A pattern that is too long.
    case patternTooLong
    /// The user has as many rules as one may have.
    case tooManyRules
}
