import Database
import Matrix

/// Until when an account is valid.
public struct AccountValidityRecord: Sendable, Hashable {
    /// Whose account.
    public let user: UserNumber
    /// When it ends, in milliseconds since 1970.
    public var expiresAt: Int64
    /// Whether its user is reminded of that.
    public var sendsMail: Bool
    /// How many of the reminders before this end are done with.
    public var reminders: Int
    /// When something is to be done next, in milliseconds since 1970; `nil` once it has ended.
    public var dueAt: Int64?
    /// When what was sent to renew it was used, in milliseconds since 1970; `nil` if it was not.
    public var tokenUsedAt: Int64?

    /// A validity that nobody has been reminded of.
    public init(
        user: UserNumber, expiresAt: Int64, sendsMail: Bool = true, reminders: Int = 0, dueAt: Int64?,
        tokenUsedAt: Int64? = nil
    ) {
        self.user = user
        self.expiresAt = expiresAt
        self.sendsMail = sendsMail
        self.reminders = reminders
        self.dueAt = dueAt
        self.tokenUsedAt = tokenUsedAt
    }
}

/// Look-ups of until when accounts are valid.
public struct AccountValidityReader {
    let sql: ReadTransaction

    private static let columns = "user_num, expires_ts, sends_mail, reminders, due_ts, token_used_ts"
    private static let ofUser = SQL("SELECT \(columns) FROM account_validity WHERE user_num = $1")
    private static let byToken = SQL("SELECT \(columns) FROM account_validity WHERE token_hash = $1")
    private static let dueBy = SQL(
        "SELECT \(columns) FROM account_validity WHERE due_ts <= $1 ORDER BY due_ts, user_num LIMIT $2")

    /// Until when an account is valid; `nil` for ever.
    public func validity(of user: UserNumber) throws -> AccountValidityRecord? {
        try sql.first(Self.ofUser, user, map: Self.decode)
    }

    /// The account that something renews, or has renewed.
    public func validity(renewedBy token: TokenHash) throws -> AccountValidityRecord? {
        try sql.first(Self.byToken, token.bytes, map: Self.decode)
    }

    /// Accounts with which something is to be done, those first that have waited the longest.
    public func due(at now: Int64, limit: Int) throws -> [AccountValidityRecord] {
        try sql.all(Self.dueBy, now, limit, map: Self.decode)
    }

    /// When the next one is due, in milliseconds since 1970; `nil` if there is none.
    public func next() throws -> Int64? {
        try sql.first("SELECT due_ts FROM account_validity WHERE due_ts IS NOT NULL ORDER BY due_ts LIMIT 1") {
            try $0.int(0)
        }
    }

    private static func decode(_ row: Row) throws -> AccountValidityRecord {
        AccountValidityRecord(
            user: try row.number(0), expiresAt: try row.int(1), sendsMail: try row.bool(2),
            reminders: Int(try row.int(3)), dueAt: try row.intOrNil(4), tokenUsedAt: try row.intOrNil(5))
    }
}

/// Stores until when accounts are valid.
public struct AccountValidityWriter {
    let writer: StoreWriter

    /// Stores a validity in the place of one before. What was sent to renew that one is good no more.
    public func set(_ record: AccountValidityRecord) throws {
        try writer.sql.execute(
            """
            INSERT INTO account_validity (user_num, expires_ts, sends_mail, reminders, due_ts) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (user_num) DO UPDATE SET expires_ts = excluded.expires_ts, sends_mail = excluded.sends_mail,
                reminders = excluded.reminders, due_ts = excluded.due_ts, token_hash = NULL, token_used_ts = NULL
            """, record.user, record.expiresAt, record.sendsMail, record.reminders, record.dueAt)
    }

    /// Notes what of a validity is done with, unless it has become another meanwhile.
    public func advance(_ record: AccountValidityRecord, reminders: Int, dueAt: Int64?) throws {
        try writer.sql.execute(
            "UPDATE account_validity SET reminders = $3, due_ts = $4 WHERE user_num = $1 AND expires_ts = $2",
            record.user, record.expiresAt, reminders, dueAt)
    }

    /// Has something renew an account, and what was before not any more.
    public func setToken(_ token: TokenHash, of user: UserNumber) throws {
        try writer.sql.execute(
            "UPDATE account_validity SET token_hash = $2, token_used_ts = NULL WHERE user_num = $1", user, token.bytes)
    }

    /// Renews an account with what was sent for it, which counts as used from then on.
    public func renew(_ record: AccountValidityRecord, usedAt now: Int64) throws {
        try writer.sql.execute(
            """
            UPDATE account_validity SET expires_ts = $2, reminders = 0, due_ts = $3, token_used_ts = $4
            WHERE user_num = $1
            """, record.user, record.expiresAt, record.dueAt, now)
    }

    /// Has an account valid for ever.
    public func remove(_ user: UserNumber) throws {
        try writer.sql.execute("DELETE FROM account_validity WHERE user_num = $1", user)
    }

    /// Gives a validity to the accounts of people that have none. Their ends are spread over `spread`, so that not everybody is
    /// reminded on the same day; no account gets less than a new one made at the same time, but for that.
    ///
    /// - Parameters:
    ///   - now: The time, in milliseconds since 1970.
    ///   - period: How long accounts are valid, in milliseconds.
    ///   - spread: Over how long before, in milliseconds; at least 1.
    ///   - reminder: How long before the end something is to be done first, in milliseconds.
    /// - Returns: How many they were.
    public func populate(now: Int64, period: Int64, spread: Int64, reminder: Int64) throws -> Int {
        try writer.sql.executeCounting(
            """
            INSERT INTO account_validity (user_num, expires_ts, due_ts)
            SELECT n.user_num, n.begin_ts + $2, n.begin_ts + $2 - $4 FROM (
                SELECT a.user_num AS user_num, CASE WHEN a.created_ts > $1 - (a.user_num * 7919) % $3
                    THEN a.created_ts ELSE $1 - (a.user_num * 7919) % $3 END AS begin_ts
                FROM accounts AS a LEFT JOIN account_validity AS v ON v.user_num = a.user_num
                WHERE v.user_num IS NULL AND a.is_guest = 0 AND a.app_service IS NULL AND a.is_deactivated = 0
            ) AS n
            """, now, period, spread, reminder)
    }
}

extension StoreReader {
    /// Until when accounts are valid.
    public var accountValidity: AccountValidityReader { AccountValidityReader(sql: sql) }
}

extension StoreWriter {
    /// Until when accounts are valid.
    public var accountValidity: AccountValidityWriter { AccountValidityWriter(writer: self) }
}
