import Database
import Matrix

/// Look-ups of the tokens by which users prove to others who they are.
public struct OpenIDTokenReader {
    let sql: ReadTransaction

    /// Whose token it is, or `nil` if it is unknown or has expired at `now`.
    public func user(of hash: TokenHash, now: Int64) throws -> UserNumber? {
        try sql.first("SELECT user_num FROM openid_tokens WHERE hash = $1 AND expires_ts > $2", hash, now) {
            try $0.number(0)
        }
    }
}

/// Stores the tokens by which users prove to others who they are.
public struct OpenIDTokenWriter {
    let writer: StoreWriter

    /// The most tokens of a user that are kept: those that expire last.
    public static let tokensPerUser = 100

    /// Stores a token, and forgets those that have expired.
    ///
    /// - Parameters:
    ///   - hash: The token's hash.
    ///   - user: Whose it is.
    ///   - expiresAt: When it expires, in milliseconds since 1970.
    ///   - now: The time, in milliseconds since 1970.
    public func insert(_ hash: TokenHash, of user: UserNumber, expiresAt: Int64, now: Int64) throws {
        try writer.sql.execute("DELETE FROM openid_tokens WHERE expires_ts <= $1", now)
        try writer.sql.execute(
            "INSERT INTO openid_tokens (hash, user_num, expires_ts) VALUES ($1, $2, $3)", hash, user, expiresAt
        )
        try writer.sql.execute(
            """
            DELETE FROM openid_tokens WHERE user_num = $1 AND expires_ts < (
                SELECT expires_ts FROM openid_tokens WHERE user_num = $1 ORDER BY expires_ts DESC LIMIT 1 OFFSET $2)
            """, user, Self.tokensPerUser - 1
        )
    }

    /// Takes back every token of a user.
    public func deleteAll(of user: UserNumber) throws {
        try writer.sql.execute("DELETE FROM openid_tokens WHERE user_num = $1", user)
    }
}

extension StoreReader {
    /// Tokens by which users prove to others who they are.
    public var openIDTokens: OpenIDTokenReader { OpenIDTokenReader(sql: sql) }
}

extension StoreWriter {
    /// Tokens by which users prove to others who they are.
    public var openIDTokens: OpenIDTokenWriter { OpenIDTokenWriter(writer: self) }
}
