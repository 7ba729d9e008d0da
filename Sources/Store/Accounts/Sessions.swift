import Database
import Matrix

/// What an access token opens.
public struct AccessTokenRecord: Sendable {
    /// The user.
    public let user: UserNumber
    /// The user, by name.
    public let userID: UserID
    /// The device that the token was given to.
    public let device: DeviceID
    /// Which of the device's successive tokens it is.
    public let generation: Int64
    /// Whether it has been used.
    public let isUsed: Bool
    /// When it expires, in milliseconds since 1970; `nil` for never.
    public let expiresAt: Int64?
    /// What is said of the account.
    public let flags: AccountFlags
    /// When the device was last noted as used, in milliseconds since 1970.
    public let lastSeenAt: Int64?
    /// What takes the place of the configured limits, if anything does.
    public let rateLimit: UserRateLimit?
}

/// What a refresh token renews.
public struct RefreshTokenRecord: Sendable {
    /// The user.
    public let user: UserNumber
    /// The device that the token was given to.
    public let device: DeviceID
    /// Which of the device's successive tokens it is.
    public let generation: Int64
    /// When it expires, in milliseconds since 1970; `nil` for never.
    public let expiresAt: Int64?
}

/// The hashes of tokens to be given to a device, and when they expire, in milliseconds since 1970.
public struct SessionTokens: Sendable {
    /// The access token.
    public let access: TokenHash
    /// When the access token expires; `nil` for never.
    public let accessExpiresAt: Int64?
    /// The refresh token, if there is one.
    public let refresh: TokenHash?
    /// When the refresh token expires; `nil` for never.
    public let refreshExpiresAt: Int64?

    /// Tokens.
    public init(access: TokenHash, accessExpiresAt: Int64?, refresh: TokenHash?, refreshExpiresAt: Int64?) {
        self.access = access
        self.accessExpiresAt = accessExpiresAt
        self.refresh = refresh
        self.refreshExpiresAt = refreshExpiresAt
    }
}

/// Look-ups of tokens.
public struct SessionReader {
    let sql: ReadTransaction

    /// What an access token opens, expired or not; `nil` if nobody was given it, or it has been taken back.
    public func accessToken(_ hash: TokenHash) throws -> AccessTokenRecord? {
        try sql.first(
            """
            SELECT t.user_num, u.user_id, t.device_id, t.generation, t.is_used, t.expires_ts, a.is_admin, a.is_guest,
                a.is_locked, a.is_suspended, a.is_deactivated, d.last_seen_ts, l.per_second, l.burst
            FROM access_tokens AS t JOIN users AS u ON u.num = t.user_num JOIN accounts AS a ON a.user_num = t.user_num
                JOIN devices AS d ON d.user_num = t.user_num AND d.device_id = t.device_id
                LEFT JOIN user_rate_limits AS l ON l.user_num = t.user_num
            WHERE t.hash = $1
            """, hash
        ) { row in
            var flags: AccountFlags = []
            let columns: [AccountFlags] = [.admin, .guest, .locked, .suspended, .deactivated]
            for (index, flag) in columns.enumerated() where try row.bool(6 + index) { flags.insert(flag) }
            var limit: UserRateLimit?
            if let perSecond = try row.intOrNil(12) {
                limit = UserRateLimit(perSecond: perSecond, burst: try row.int(13))
            }
            return AccessTokenRecord(
                user: try row.number(0), userID: try row.identifier(1), device: try row.identifier(2),
                generation: try row.int(3), isUsed: try row.bool(4), expiresAt: try row.intOrNil(5), flags: flags,
                lastSeenAt: try row.intOrNil(11), rateLimit: limit
            )
        }
    }

    /// What a refresh token renews, expired or not.
    public func refreshToken(_ hash: TokenHash) throws -> RefreshTokenRecord? {
        try sql.first(
            "SELECT user_num, device_id, generation, expires_ts FROM refresh_tokens WHERE hash = $1", hash
        ) { row in
            RefreshTokenRecord(
                user: try row.number(0), device: try row.identifier(1), generation: try row.int(2),
                expiresAt: try row.intOrNil(3)
            )
        }
    }
}

/// Stores tokens.
public struct SessionWriter {
    let writer: StoreWriter

    /// Gives a device its only tokens: all that it had before are taken back.
    public func start(_ tokens: SessionTokens, on device: DeviceID, of user: UserNumber) throws {
        try writer.sql.execute(
            "DELETE FROM access_tokens WHERE user_num = $1 AND device_id = $2", user, device
        )
        try writer.sql.execute(
            "DELETE FROM refresh_tokens WHERE user_num = $1 AND device_id = $2", user, device
        )
        // The first tokens replace none, so they count as used.
        try insert(tokens, device, user, generation: try nextGeneration(of: device, user), isUsed: true)
    }

    /// Gives a device the tokens of the next generation in exchange for a refresh token. Those of the exchanged one's own
    /// generation stay good until the new ones are used; unused ones of an exchange before are taken back.
    public func renew(_ current: RefreshTokenRecord, with tokens: SessionTokens) throws {
        for table in ["access_tokens", "refresh_tokens"] {
            try writer.sql.execute(
                SQL("DELETE FROM \(table) WHERE user_num = $1 AND device_id = $2 AND generation <> $3"), current.user,
                current.device, current.generation
            )
        }
        let generation = try nextGeneration(of: current.device, current.user)
        try insert(tokens, current.device, current.user, generation: generation, isUsed: false)
    }

    /// Notes that a token of a generation was used: those of the generations before are taken back.
    public func confirm(generation: Int64, of device: DeviceID, _ user: UserNumber) throws {
        for table in ["access_tokens", "refresh_tokens"] {
            try writer.sql.execute(
                SQL("DELETE FROM \(table) WHERE user_num = $1 AND device_id = $2 AND generation < $3"), user, device,
                generation
            )
        }
        try writer.sql.execute(
            "UPDATE access_tokens SET is_used = 1 WHERE user_num = $1 AND device_id = $2 AND generation = $3", user,
            device,
            generation
        )
    }

    private func nextGeneration(of device: DeviceID, _ user: UserNumber) throws -> Int64 {
        let next = try writer.sql.first(
            """
            UPDATE devices SET generation = generation + 1 WHERE user_num = $1 AND device_id = $2 RETURNING generation
            """, user, device
        ) { try $0.int(0) }
        guard let next else { throw StoreError.inconsistent("a session without its device") }
        return next
    }

    private func insert(
        _ tokens: SessionTokens, _ device: DeviceID, _ user: UserNumber, generation: Int64, isUsed: Bool
    ) throws {
        try writer.sql.execute(
            """
            INSERT INTO access_tokens (hash, user_num, device_id, generation, is_used, expires_ts)
            VALUES ($1, $2, $3, $4, $5, $6)
            """, tokens.access, user, device, generation, isUsed, tokens.accessExpiresAt
        )
        guard let refresh = tokens.refresh else { return }
        try writer.sql.execute(
            """
            INSERT INTO refresh_tokens (hash, user_num, device_id, generation, expires_ts) VALUES ($1, $2, $3, $4, $5)
            """, refresh, user, device, generation, tokens.refreshExpiresAt
        )
    }
}

extension StoreReader {
    /// Access and refresh tokens.
    public var sessions: SessionReader { SessionReader(sql: sql) }
}

extension StoreWriter {
    /// Access and refresh tokens.
    public var sessions: SessionWriter { SessionWriter(writer: self) }
}
