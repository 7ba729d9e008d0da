import Database
import Matrix

/// Stores login tokens: each logs in once, on another device.
public struct LoginTokenWriter {
    let writer: StoreWriter

    /// Stores a token, and forgets those that have expired.
    ///
    /// - Parameters:
    ///   - hash: The token's hash.
    ///   - user: Whom it logs in.
    ///   - expiresAt: When it expires, in milliseconds since 1970.
    ///   - now: The time, in milliseconds since 1970.
    public func insert(_ hash: TokenHash, for user: UserNumber, expiresAt: Int64, now: Int64) throws {
        try writer.sql.execute("DELETE FROM login_tokens WHERE expires_ts <= $1", now)
        try writer.sql.execute(
            "INSERT INTO login_tokens (hash, user_num, expires_ts) VALUES ($1, $2, $3)", hash, user, expiresAt
        )
    }

    /// Takes a token out of circulation.
    ///
    /// - Returns: Whom it logs in, or `nil` if it is unknown, has been taken before, or has expired at `now`.
    public func take(_ hash: TokenHash, now: Int64) throws -> UserNumber? {
        let taken = try writer.sql.first(
            "DELETE FROM login_tokens WHERE hash = $1 RETURNING user_num, expires_ts", hash
        ) { row in (user: try row.number(0, as: UserNumber.self), expiresAt: try row.int(1)) }
        guard let taken, taken.expiresAt > now else { return nil }
        return taken.user
    }

    /// Takes back every token of a user.
    public func deleteAll(of user: UserNumber) throws {
        try writer.sql.execute("DELETE FROM login_tokens WHERE user_num = $1", user)
    }
}

extension StoreWriter {
    /// Login tokens.
    public var loginTokens: LoginTokenWriter { LoginTokenWriter(writer: self) }
}
