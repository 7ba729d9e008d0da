import Database
import Matrix

/// An account of this server.
public struct AccountRecord: Sendable {
    /// Whose it is.
    public let user: UserNumber
    /// Whose it is, by name.
    public let userID: UserID
    /// The password as the hasher wrote it; `nil` where nobody can log in with one.
    public let passwordHash: String?
    /// What is said of the account beside.
    public let flags: AccountFlags
    /// The application service that made it, if one did.
    public let appService: String?
    /// When it was made, in milliseconds since 1970.
    public let createdAt: Int64
}

/// What an account is and is not allowed to be.
public struct AccountFlags: OptionSet, Sendable, Hashable {
    /// One bit for each flag.
    public let rawValue: Int
    /// Flags of these bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// May administer the server.
    public static let admin = AccountFlags(rawValue: 1)
    /// A guest: no password, few rights.
    public static let guest = AccountFlags(rawValue: 2)
    /// May do nothing for now but log out ([account locking](https://spec.matrix.org/v1.19/client-server-api/#account-locking)).
    public static let locked = AccountFlags(rawValue: 4)
    /// May read and leave, but not speak
    /// ([account suspension](https://spec.matrix.org/v1.19/client-server-api/#account-suspension)).
    public static let suspended = AccountFlags(rawValue: 8)
    /// Ended for good.
    public static let deactivated = AccountFlags(rawValue: 16)
    /// Ended, and asked to be forgotten.
    public static let erased = AccountFlags(rawValue: 32)
    /// Speaks to nobody, without being told so.
    public static let shadowBanned = AccountFlags(rawValue: 64)
}

/// Look-ups of accounts.
public struct AccountReader {
    let sql: ReadTransaction

    /// The account of a user, or `nil` if they have none here.
    public func account(_ user: UserNumber) throws -> AccountRecord? {
        try sql.first(
            """
            SELECT a.user_num, u.user_id, a.password_hash, a.is_admin, a.is_guest, a.is_locked, a.is_suspended,
                a.is_deactivated, a.is_erased, a.is_shadow_banned, a.app_service, a.created_ts
            FROM accounts AS a JOIN users AS u ON u.num = a.user_num WHERE a.user_num = $1
            """, user, map: Self.decode
        )
    }

    /// The account of a user, or `nil` if they have none here.
    public func account(_ user: UserID) throws -> AccountRecord? {
        try sql.first(
            """
            SELECT a.user_num, u.user_id, a.password_hash, a.is_admin, a.is_guest, a.is_locked, a.is_suspended,
                a.is_deactivated, a.is_erased, a.is_shadow_banned, a.app_service, a.created_ts
            FROM users AS u JOIN accounts AS a ON a.user_num = u.num WHERE u.user_id = $1
            """, user, map: Self.decode
        )
    }

    /// A page of accounts in the order in which users became known.
    ///
    /// - Parameters:
    ///   - after: The last one of the page before, or `nil` for the first page.
    ///   - limit: The most accounts to return.
    public func accounts(after: UserNumber?, limit: Int) throws -> [AccountRecord] {
        try sql.all(
            """
            SELECT a.user_num, u.user_id, a.password_hash, a.is_admin, a.is_guest, a.is_locked, a.is_suspended,
                a.is_deactivated, a.is_erased, a.is_shadow_banned, a.app_service, a.created_ts
            FROM accounts AS a JOIN users AS u ON u.num = a.user_num WHERE a.user_num > $1 ORDER BY a.user_num LIMIT $2
            """, after ?? UserNumber(Int64.min), limit, map: Self.decode
        )
    }

    /// How many accounts there are that are not deactivated.
    public func activeCount() throws -> Int {
        try sql.first("SELECT COUNT(*) FROM accounts WHERE is_deactivated = 0") { Int(try $0.int(0)) } ?? 0
    }

    /// Users who are deactivated and not gone from all their rooms yet.
    public func departing() throws -> [UserID] {
        try sql.all(
            "SELECT u.user_id FROM accounts AS a JOIN users AS u ON u.num = a.user_num WHERE a.is_departing = 1"
        ) { try $0.identifier(0) }
    }

    private static func decode(_ row: Row) throws -> AccountRecord {
        var flags: AccountFlags = []
        let columns: [AccountFlags] = [
            .admin, .guest, .locked, .suspended, .deactivated, .erased, .shadowBanned,
        ]
        for (index, flag) in columns.enumerated() where try row.bool(3 + index) { flags.insert(flag) }
        return AccountRecord(
            user: try row.number(0), userID: try row.identifier(1), passwordHash: try row.textOrNil(2), flags: flags,
            appService: try row.textOrNil(10), createdAt: try row.int(11)
        )
    }
}

/// Stores accounts.
public struct AccountWriter {
    let writer: StoreWriter

    /// Makes an account.
    ///
    /// - Returns: The user's number, or `nil` if they have an account already: nothing is changed then.
    public func insert(
        _ userID: UserID, passwordHash: String?, flags: AccountFlags, appService: String?, createdAt: Int64
    ) throws -> UserNumber? {
        let user = try writer.identifiers.intern(userID)
        let inserted = try writer.sql.executeCounting(
            """
            INSERT INTO accounts (user_num, password_hash, is_admin, is_guest, app_service, created_ts)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_num) DO NOTHING
            """, user, passwordHash, flags.contains(.admin), flags.contains(.guest), appService, createdAt
        )
        guard inserted == 1 else { return nil }
        try writer.userDirectory.refresh(user)
        return user
    }

    /// Replaces the password; `nil` removes it.
    public func setPasswordHash(_ hash: String?, of user: UserNumber) throws {
        try writer.sql.execute("UPDATE accounts SET password_hash = $2 WHERE user_num = $1", user, hash)
    }

    /// Replaces a password hash by one of the same password, unless it has changed meanwhile.
    public func replacePasswordHash(_ old: String, by new: String, of user: UserNumber) throws {
        try writer.sql.execute(
            "UPDATE accounts SET password_hash = $3 WHERE user_num = $1 AND password_hash = $2", user, old, new
        )
    }

    /// Notes whether a deactivated user still has to leave rooms.
    public func setDeparting(_ isDeparting: Bool, of user: UserNumber) throws {
        try writer.sql.execute("UPDATE accounts SET is_departing = $2 WHERE user_num = $1", user, isDeparting)
    }

    /// Sets all flags.
    public func setFlags(_ flags: AccountFlags, of user: UserNumber) throws {
        try writer.sql.execute(
            """
            UPDATE accounts SET is_admin = $2, is_guest = $3, is_locked = $4, is_suspended = $5, is_deactivated = $6,
                is_erased = $7, is_shadow_banned = $8 WHERE user_num = $1
            """, user, flags.contains(.admin), flags.contains(.guest), flags.contains(.locked),
            flags.contains(.suspended), flags.contains(.deactivated), flags.contains(.erased),
            flags.contains(.shadowBanned)
        )
        try writer.userDirectory.refresh(user)
        let store = writer.store
        let id = try writer.read.identifiers.user(user)
        writer.sql.onCommit {
            store.erasedUsers.set(user, isErased: flags.contains(.erased))
            store.shadowBannedUsers.set(id, isBanned: flags.contains(.shadowBanned))
        }
    }
}

extension StoreReader {
    /// Accounts.
    public var accounts: AccountReader { AccountReader(sql: sql) }
}

extension StoreWriter {
    /// Accounts.
    public var accounts: AccountWriter { AccountWriter(writer: self) }
}
