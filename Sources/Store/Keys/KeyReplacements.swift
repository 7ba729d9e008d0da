import Matrix

extension CrossSigningKeyReader {
    /// Until when a user may replace their keys without showing again who they are, in milliseconds since 1970; `nil` if never.
    public func replacementAllowed(of user: UserNumber) throws -> Int64? {
        try sql.first("SELECT until_ts FROM key_replacements WHERE user_num = $1", user) { try $0.int(0) }
    }
}

extension CrossSigningKeyWriter {
    /// Lets a user replace their keys without showing again who they are, until a time; not any more if `nil`.
    public func allowReplacement(of user: UserNumber, until time: Int64?) throws {
        guard let time else {
            return try writer.sql.execute("DELETE FROM key_replacements WHERE user_num = $1", user)
        }
        try writer.sql.execute(
            """
            INSERT INTO key_replacements (user_num, until_ts) VALUES ($1, $2)
            ON CONFLICT (user_num) DO UPDATE SET until_ts = excluded.until_ts
            """, user, time)
    }
}
