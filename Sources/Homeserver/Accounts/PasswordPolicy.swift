import Matrix

/// Which passwords users may choose.
///
/// [Password management](https://spec.matrix.org/v1.19/client-server-api/#password-management).
public struct PasswordPolicy: Sendable {
    /// The fewest characters.
    public var minimumLength: Int
    /// The most bytes: hashing costs time, and nobody types more.
    public var maximumBytes: Int
    /// Whether users may change their passwords at all.
    public var allowsChanges: Bool

    /// A policy.
    public init(minimumLength: Int = 8, maximumBytes: Int = 512, allowsChanges: Bool = true) {
        self.minimumLength = minimumLength
        self.maximumBytes = maximumBytes
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
    }
}
