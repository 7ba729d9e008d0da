import Matrix

/// Which passwords users may choose.
///
/// [Password management](https://spec.matrix.org/v1.19/client-server-api/#password-management); told to clients as
/// [MSC2000](https://github.com/matrix-org/matrix-spec-proposals/pull/2000) has it.
public struct PasswordPolicy: Sendable {
    /// A kind of characters that a password may need one of.
    public enum Requirement: String, Sendable, CaseIterable {
        case digit, symbol, lowercase, uppercase

        /// A, E and É are uppercase, 3 is a digit; what is neither letter nor digit nor white space is a symbol.
        func isMet(by character: Character) -> Bool {
            switch self {
            case .digit: character.isNumber
            case .symbol: !character.isLetter && !character.isNumber && !character.isWhitespace
            case .lowercase: character.isLowercase
            case .uppercase: character.isUppercase
            }
        }

        var name: String {
            switch self {
            case .digit: "digit"
            case .symbol: "symbol"
            case .lowercase: "lowercase letter"
            case .uppercase: "uppercase letter"
            }
        }
    }

    /// The fewest characters.
    public var minimumLength: Int
    /// The most bytes: hashing costs time, and nobody types more.
    public var maximumBytes: Int
    /// Of what there must be one.
    public var requirements: [Requirement]
    /// Whether users may change their passwords at all.
    public var allowsChanges: Bool

    /// A policy.
    public init(
        minimumLength: Int = 8, maximumBytes: Int = 512, requirements: [Requirement] = [], allowsChanges: Bool = true
    ) {
        self.minimumLength = minimumLength
        self.maximumBytes = maximumBytes
        self.requirements = requirements
        self.allowsChanges = allowsChanges
    }

    /// Accepts a new password.
    ///
    /// - Throws: 400 `M_WEAK_PASSWORD`, `M_INVALID_PARAM` when it is too long.
    public func check(_ password: String) throws(MatrixError) {
        guard password.utf8.count <= maximumBytes else {
            throw .invalidParameter("A password has at most \(maximumBytes) bytes")
        }
        guard password.count >= minimumLength else {
            throw MatrixError(400, .weakPassword, "A password has at least \(minimumLength) characters")
        }
        for requirement in requirements where !password.contains(where: requirement.isMet(by:)) {
            throw MatrixError(400, .weakPassword, "A password has at least one \(requirement.name)")
        }
    }

    /// The policy as clients are told of it, so that they can say what is missing while somebody types.
    public var rules: JSONValue {
        var rules: JSONValue = ["m.minimum_length": .integer(Int64(minimumLength))]
        for requirement in requirements { rules["m.require_\(requirement.rawValue)"] = true }
        return rules
    }
}
