import Database
import Matrix

/// A token that administrators hand out so that its bearer may register.
public struct RegistrationTokenRecord: Sendable {
    /// The token itself: it is no secret to administrators.
    public let token: String
    /// How many accounts may be made with it; `nil` for any number.
    public let usesAllowed: Int64?
    /// How many accounts have been made with it.
    public let uses: Int64
    /// When it expires, in milliseconds since 1970; `nil` for never.
    public let expiresAt: Int64?

    /// A token.
    public init(token: String, usesAllowed: Int64?, uses: Int64 = 0, expiresAt: Int64?) {
        self.token = token
        self.usesAllowed = usesAllowed
        self.uses = uses
        self.expiresAt = expiresAt
    }

    /// Whether an account can still be made with it.
    ///
    /// - Parameter now: The time, in milliseconds since 1970.
    public func isValid(at now: Int64) -> Bool {
        if let expiresAt, expiresAt <= now { return false }
        return usesAllowed.map { uses < $0 } ?? true
    }
}

/// Look-ups of registration tokens.
public struct RegistrationTokenReader {
    let sql: ReadTransaction

    /// The token of that text, valid or not.
    public func token(_ token: String) throws -> RegistrationTokenRecord? {
        try sql.first(
            "SELECT token, uses_allowed, uses, expires_ts FROM registration_tokens WHERE token = $1", token,
            map: Self.decode
        )
    }

    /// Every token, oldest first.
    public func all() throws -> [RegistrationTokenRecord] {
        try sql.all(
            "SELECT token, uses_allowed, uses, expires_ts FROM registration_tokens ORDER BY created_ts, token",
            map: Self.decode
        )
    }

    /// How many registrations are under way that have shown a token and not been completed yet.
    ///
    /// - Parameters:
    ///   - token: The token.
    ///   - now: The time, in milliseconds since 1970.
    public func pendingUses(of token: String, now: Int64) throws -> Int64 {
        try sql.first(
            """
            SELECT COUNT(*) FROM interactive_sessions
            WHERE registration_token = $1 AND result IS NULL AND expires_ts > $2
            """, token, now
        ) { try $0.int(0) } ?? 0
    }

    private static func decode(_ row: Row) throws -> RegistrationTokenRecord {
        RegistrationTokenRecord(
            token: try row.text(0), usesAllowed: try row.intOrNil(1), uses: try row.int(2),
            expiresAt: try row.intOrNil(3)
        )
    }
}

/// Stores registration tokens.
public struct RegistrationTokenWriter {
    let writer: StoreWriter

    /// Stores a token.
    ///
    /// - Returns: Whether it is new; a known one is not changed.
    public func insert(_ token: RegistrationTokenRecord, createdAt: Int64) throws -> Bool {
        try writer.sql.executeCounting(
            """
            INSERT INTO registration_tokens (token, uses_allowed, uses, expires_ts, created_ts) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (token) DO NOTHING
            """, token.token, token.usesAllowed, token.uses, token.expiresAt, createdAt
        ) == 1
    }

    /// Changes a token's limits.
    ///
    /// - Returns: Whether there is such a token.
    public func setLimits(usesAllowed: Int64?, expiresAt: Int64?, of token: String) throws -> Bool {
        try writer.sql.executeCounting(
            "UPDATE registration_tokens SET uses_allowed = $2, expires_ts = $3 WHERE token = $1", token, usesAllowed,
            expiresAt
        ) == 1
    }

    /// Counts an account made with a token.
    ///
    /// - Parameters:
    ///   - token: The token.
    ///   - now: The time, in milliseconds since 1970.
    /// - Returns: Whether the token allowed it; nothing is changed otherwise.
    public func use(_ token: String, now: Int64) throws -> Bool {
        try writer.sql.executeCounting(
            """
            UPDATE registration_tokens SET uses = uses + 1
            WHERE token = $1 AND (uses_allowed IS NULL OR uses < uses_allowed) AND (expires_ts IS NULL OR expires_ts > $2)
            """, token, now
        ) == 1
    }

    /// Removes a token.
    ///
    /// - Returns: Whether there was one.
    public func delete(_ token: String) throws -> Bool {
        try writer.sql.executeCounting("DELETE FROM registration_tokens WHERE token = $1", token) == 1
    }
}

/// Stores the nonces of shared-secret registration.
public struct RegistrationNonceWriter {
    let writer: StoreWriter

    /// Stores a nonce, and forgets those that have expired.
    public func insert(_ nonce: String, expiresAt: Int64, now: Int64) throws {
        try writer.sql.execute("DELETE FROM registration_nonces WHERE expires_ts <= $1", now)
        try writer.sql.execute(
            "INSERT INTO registration_nonces (nonce, expires_ts) VALUES ($1, $2)", nonce, expiresAt
        )
    }

    /// Takes a nonce out of circulation.
    ///
    /// - Returns: Whether it was good.
    public func take(_ nonce: String, now: Int64) throws -> Bool {
        let expiresAt = try writer.sql.first(
            "DELETE FROM registration_nonces WHERE nonce = $1 RETURNING expires_ts", nonce
        ) { try $0.int(0) }
        return expiresAt.map { $0 > now } ?? false
    }
}

extension StoreReader {
    /// Registration tokens.
    public var registrationTokens: RegistrationTokenReader { RegistrationTokenReader(sql: sql) }
}

extension StoreWriter {
    /// Registration tokens.
    public var registrationTokens: RegistrationTokenWriter { RegistrationTokenWriter(writer: self) }
    /// Nonces of shared-secret registration.
    public var registrationNonces: RegistrationNonceWriter { RegistrationNonceWriter(writer: self) }
}
