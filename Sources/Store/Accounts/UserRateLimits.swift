import Database
import Matrix

/// What takes the place of the configured limits for what a user does.
public struct UserRateLimit: Sendable, Hashable {
    /// How often a second in the long run; 0 for no limit.
    public let perSecond: Int64
    /// How often at once.
    public let burst: Int64

    /// A limit.
    public init(perSecond: Int64, burst: Int64) {
        self.perSecond = perSecond
        self.burst = burst
    }
}

extension AccountReader {
    /// What takes the place of the configured limits for a user; `nil` if nothing does.
    public func rateLimit(of user: UserNumber) throws -> UserRateLimit? {
        try sql.first("SELECT per_second, burst FROM user_rate_limits WHERE user_num = $1", user) {
            UserRateLimit(perSecond: try $0.int(0), burst: try $0.int(1))
        }
    }
}

extension AccountWriter {
    /// Has something take the place of the configured limits for a user; nothing if `nil`.
    public func setRateLimit(_ limit: UserRateLimit?, of user: UserNumber) throws {
        guard let limit else {
            return try writer.sql.execute("DELETE FROM user_rate_limits WHERE user_num = $1", user)
        }
        try writer.sql.execute(
            """
            INSERT INTO user_rate_limits (user_num, per_second, burst) VALUES ($1, $2, $3)
            ON CONFLICT (user_num) DO UPDATE SET per_second = excluded.per_second, burst = excluded.burst
            """, user, limit.perSecond, limit.burst)
    }
}
