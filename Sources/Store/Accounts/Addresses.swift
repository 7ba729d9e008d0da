import Database
import Matrix

/// A mail address of an account.
public struct AccountAddress: Sendable, Hashable {
    /// The address, in small letters.
    public let address: String
    /// Whose it is.
    public let user: UserNumber
    /// When it was shown that its mail is read by the user, in milliseconds since 1970.
    public let validatedAt: Int64
    /// When it was added to the account, in milliseconds since 1970.
    public let addedAt: Int64
    /// Whether who reads its mail may replace the password.
    public let resetsPassword: Bool

    /// An address.
    public init(address: String, user: UserNumber, validatedAt: Int64, addedAt: Int64, resetsPassword: Bool = true) {
        self.address = address
        self.user = user
        self.validatedAt = validatedAt
        self.addedAt = addedAt
        self.resetsPassword = resetsPassword
    }
}

/// A proof under way that somebody reads the mail of an address.
public struct AddressValidation: Sendable {
    /// Its name, which the client is told.
    public let sid: String
    /// The client's own secret.
    public let clientSecret: String
    /// The address.
    public let address: String
    /// What it is for.
    public let purpose: String
    /// The hash of what the mail holds.
    public var tokenHash: [UInt8]
    /// The client's last attempt.
    public var sendAttempt: Int64
    /// Where to go once it is done.
    public var nextLink: String?
    /// When it was shown, in milliseconds since 1970; `nil` if it has not been.
    public var validatedAt: Int64?
    /// When it expires, in milliseconds since 1970.
    public var expiresAt: Int64

    /// A proof that has not been given yet.
    public init(
        sid: String, clientSecret: String, address: String, purpose: String, tokenHash: [UInt8], sendAttempt: Int64,
        nextLink: String?, validatedAt: Int64? = nil, expiresAt: Int64
    ) {
        self.sid = sid
        self.clientSecret = clientSecret
        self.address = address
        self.purpose = purpose
        self.tokenHash = tokenHash
        self.sendAttempt = sendAttempt
        self.nextLink = nextLink
        self.validatedAt = validatedAt
        self.expiresAt = expiresAt
    }
}

/// How much mail may be sent.
public struct MailLimits: Sendable {
    /// In how long, in milliseconds.
    public var periodMilliseconds: Int64 = 3_600_000
    /// How many mails to one address.
    public var mailsToAnAddress: Int64 = 5
    /// To how many addresses.
    public var addresses: Int64 = 10_000

    /// Limits.
    public init() {}
}

/// Look-ups of mail addresses.
public struct AddressReader {
    let sql: ReadTransaction

    private static let validationColumns =
        "sid, client_secret, address, purpose, token_hash, send_attempt, next_link, validated_ts, expires_ts"
    private static let validationByName = SQL(
        "SELECT \(validationColumns) FROM address_validations WHERE sid = $1 AND expires_ts > $2")
    private static let validationOfClient = SQL(
        """
        SELECT \(validationColumns) FROM address_validations
        WHERE client_secret = $1 AND address = $2 AND purpose = $3 AND expires_ts > $4
        """)
    private static let addressColumns = "address, user_num, validated_ts, added_ts, resets_password"
    private static let byAddress = SQL("SELECT \(addressColumns) FROM account_addresses WHERE address = $1")
    private static let byUser = SQL(
        "SELECT \(addressColumns) FROM account_addresses WHERE user_num = $1 ORDER BY added_ts, address")

    /// Whose address it is, or `nil` if it is nobody's.
    public func owner(of address: String) throws -> UserNumber? { try self.address(address)?.user }

    /// An address, if it belongs to an account.
    public func address(_ address: String) throws -> AccountAddress? {
        try sql.first(Self.byAddress, address, map: decodeAddress)
    }

    /// The addresses of an account, in the order in which they were added.
    public func addresses(of user: UserNumber) throws -> [AccountAddress] {
        try sql.all(Self.byUser, user, map: decodeAddress)
    }

    private func decodeAddress(_ row: Row) throws -> AccountAddress {
        AccountAddress(
            address: try row.text(0), user: try row.number(1), validatedAt: try row.int(2), addedAt: try row.int(3),
            resetsPassword: try row.bool(4))
    }

    /// The proof of that name, unless it has expired at `now`.
    public func validation(_ sid: String, now: Int64) throws -> AddressValidation? {
        try sql.first(Self.validationByName, sid, now, map: decode)
    }

    /// The proof that a client has begun for an address, unless it has expired at `now`.
    public func validation(
        clientSecret: String, address: String, purpose: String, now: Int64
    ) throws -> AddressValidation? {
        try sql.first(Self.validationOfClient, clientSecret, address, purpose, now, map: decode)
    }

    private func decode(_ row: Row) throws -> AddressValidation {
        AddressValidation(
            sid: try row.text(0), clientSecret: try row.text(1), address: try row.text(2), purpose: try row.text(3),
            tokenHash: try row.blob(4), sendAttempt: try row.int(5), nextLink: try row.textOrNil(6),
            validatedAt: try row.intOrNil(7), expiresAt: try row.int(8)
        )
    }
}

/// Stores mail addresses.
public struct AddressWriter {
    let writer: StoreWriter

    /// Gives an address to an account.
    ///
    /// - Returns: Whether it is the account's now; not if it belongs to another.
    public func add(_ address: AccountAddress) throws -> Bool {
        try writer.sql.execute(
            """
            INSERT INTO account_addresses (address, user_num, validated_ts, added_ts, resets_password)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (address) DO NOTHING
            """, address.address, address.user, address.validatedAt, address.addedAt, address.resetsPassword)
        return try writer.read.addresses.owner(of: address.address) == address.user
    }

    /// Takes an address from an account, if it is its.
    public func remove(_ address: String, of user: UserNumber) throws {
        try writer.sql.execute("DELETE FROM account_addresses WHERE address = $1 AND user_num = $2", address, user)
    }

    /// Takes all addresses from an account.
    public func removeAll(of user: UserNumber) throws {
        try writer.sql.execute("DELETE FROM account_addresses WHERE user_num = $1", user)
    }

    /// Stores a proof under way, in the place of an earlier one of the same client for the same address, and forgets those that have
    /// expired.
    public func set(_ validation: AddressValidation, now: Int64) throws {
        try writer.sql.execute("DELETE FROM address_validations WHERE expires_ts <= $1", now)
        // A proof that keeps its name would be in conflict with itself in two ways, of which an INSERT forgives one.
        let updated = try writer.sql.executeCounting(
            """
            UPDATE address_validations SET sid = $1, token_hash = $5, send_attempt = $6, next_link = $7, validated_ts = $8,
                expires_ts = $9
            WHERE client_secret = $2 AND address = $3 AND purpose = $4
            """, validation.sid, validation.clientSecret, validation.address, validation.purpose, validation.tokenHash,
            validation.sendAttempt, validation.nextLink, validation.validatedAt, validation.expiresAt)
        guard updated == 0 else { return }
        try writer.sql.execute(
            """
            INSERT INTO address_validations (sid, client_secret, address, purpose, token_hash, send_attempt, next_link,
                validated_ts, expires_ts)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (client_secret, address, purpose) DO UPDATE SET sid = excluded.sid,
                token_hash = excluded.token_hash, send_attempt = excluded.send_attempt, next_link = excluded.next_link,
                validated_ts = excluded.validated_ts, expires_ts = excluded.expires_ts
            """, validation.sid, validation.clientSecret, validation.address, validation.purpose, validation.tokenHash,
            validation.sendAttempt, validation.nextLink, validation.validatedAt, validation.expiresAt)
    }

    /// Notes that a proof was given. It then expires later.
    public func validate(_ sid: String, at now: Int64, expiresAt: Int64) throws {
        try writer.sql.execute(
            """
            UPDATE address_validations SET validated_ts = $2, expires_ts = $3 WHERE sid = $1 AND validated_ts IS NULL
            """, sid, now, expiresAt)
    }

    /// Ends a proof.
    ///
    /// - Returns: Whether there was one: of several requests that use one, only one is told so.
    public func removeValidation(_ sid: String) throws -> Bool {
        try writer.sql.executeCounting("DELETE FROM address_validations WHERE sid = $1", sid) == 1
    }

    // MARK: Mails

    /// Counts a mail to an address, if it is not one too many.
    ///
    /// - Parameters:
    ///   - address: The address.
    ///   - now: The time, in milliseconds since 1970.
    ///   - limits: How many mails there may be.
    /// - Returns: When there may be another, in milliseconds since 1970; `nil` if it was counted.
    public func countMail(to address: String, now: Int64, limits: MailLimits) throws -> Int64? {
        let begin = now - limits.periodMilliseconds
        try writer.sql.execute("DELETE FROM address_mails WHERE since_ts <= $1", begin)
        let sql = writer.read.sql
        let known = try sql.first("SELECT since_ts, mails FROM address_mails WHERE address = $1", address) {
            (since: try $0.int(0), mails: try $0.int(1))
        }
        if let known {
            if known.mails >= limits.mailsToAnAddress { return known.since + limits.periodMilliseconds }
        } else {
            let addresses = try sql.first("SELECT COUNT(*) FROM address_mails") { try $0.int(0) } ?? 0
            if addresses >= limits.addresses { return now + limits.periodMilliseconds / 60 }
        }
        try writer.sql.execute(
            """
            INSERT INTO address_mails (address, since_ts, mails) VALUES ($1, $2, 1)
            ON CONFLICT (address) DO UPDATE SET mails = address_mails.mails + 1
            """, address, now)
        return nil
    }

    /// Takes back that a mail was counted, which could not be sent.
    public func uncountMail(to address: String) throws {
        try writer.sql.execute("UPDATE address_mails SET mails = mails - 1 WHERE address = $1 AND mails > 0", address)
    }
}

extension StoreReader {
    /// Mail addresses.
    public var addresses: AddressReader { AddressReader(sql: sql) }
}

extension StoreWriter {
    /// Mail addresses.
    public var addresses: AddressWriter { AddressWriter(writer: self) }
}
