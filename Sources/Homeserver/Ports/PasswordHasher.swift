/// Hashes passwords so that whoever reads the database cannot log in. Takes its time on purpose, off the callers' threads.
public protocol PasswordHasher: Sendable {
    /// The hash of a password, with all that is needed to verify it later.
    ///
    /// - Throws: ``MatrixError`` 429 or 503 when too many wait already.
    func hash(_ password: String) async throws -> String
    /// Whether a hash is that of a password.
    ///
    /// - Throws: ``MatrixError`` 429 or 503 when too many wait already.
    func verify(_ password: String, against hash: String) async throws -> Bool
    /// Whether a hash was made with less effort than is asked for today.
    func isOutdated(_ hash: String) -> Bool
}
