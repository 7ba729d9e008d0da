import Database
import Matrix

/// An address that an identity server tells to be a user's.
public struct IdentityBinding: Sendable, Hashable {
    /// Whose address.
    public var user: UserNumber
    /// What kind of address: `email`, `msisdn`.
    public var medium: String
    /// The address.
    public var address: String
    /// The identity server's name in the configuration.
    public var server: String

    /// A binding.
    public init(user: UserNumber, medium: String, address: String, server: String) {
        self.user = user
        self.medium = medium
        self.address = address
        self.server = server
    }
}

/// Look-ups of what identity servers tell of this server's users.
public struct IdentityBindingReader {
    let sql: ReadTransaction

    /// A user's bindings.
    public func bindings(of user: UserNumber) throws -> [IdentityBinding] {
        try sql.all(Self.ofUser, user, map: decode)
    }

    /// Bindings that are to end.
    public func ending(limit: Int) throws -> [IdentityBinding] { try sql.all(Self.allEnding, limit, map: decode) }

    private static let columns = "user_num, medium, address, server"
    private static let ofUser = SQL(
        "SELECT \(columns) FROM identity_bindings WHERE user_num = $1 ORDER BY bound_ts, medium, address, server")
    private static let allEnding = SQL(
        """
        SELECT \(columns) FROM identity_bindings WHERE ending_ts IS NOT NULL
        ORDER BY ending_ts, user_num, medium, address, server LIMIT $1
        """)

    private func decode(_ row: Row) throws -> IdentityBinding {
        IdentityBinding(
            user: try row.number(0), medium: try row.text(1), address: try row.text(2), server: try row.text(3))
    }
}

/// Notes what identity servers tell of this server's users.
public struct IdentityBindingWriter {
    let writer: StoreWriter

    /// Notes a binding.
    public func insert(_ binding: IdentityBinding, now: Int64) throws {
        try writer.sql.execute(
            """
            INSERT INTO identity_bindings (user_num, medium, address, server, bound_ts) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (user_num, medium, address, server) DO UPDATE SET ending_ts = NULL
            """, binding.user, binding.medium, binding.address, binding.server, now)
    }

    /// Notes that a binding is to end, also one that nothing was known of.
    public func end(_ binding: IdentityBinding, now: Int64) throws {
        try writer.sql.execute(
            """
            INSERT INTO identity_bindings (user_num, medium, address, server, bound_ts, ending_ts)
            VALUES ($1, $2, $3, $4, $5, $5)
            ON CONFLICT (user_num, medium, address, server) DO UPDATE SET ending_ts = excluded.ending_ts
            """, binding.user, binding.medium, binding.address, binding.server, now)
    }

    /// Notes that all of a user's bindings are to end.
    public func endAll(of user: UserNumber, now: Int64) throws {
        try writer.sql.execute(
            "UPDATE identity_bindings SET ending_ts = $2 WHERE user_num = $1 AND ending_ts IS NULL", user, now)
    }

    /// Forgets a binding that has ended, or whose end is refused.
    public func delete(_ binding: IdentityBinding) throws {
        try writer.sql.execute(
            "DELETE FROM identity_bindings WHERE user_num = $1 AND medium = $2 AND address = $3 AND server = $4",
            binding.user, binding.medium, binding.address, binding.server)
    }

    /// Forgets bindings whose end has been attempted in vain since before that time.
    public func giveUp(endingBefore time: Int64) throws {
        try writer.sql.execute("DELETE FROM identity_bindings WHERE ending_ts < $1", time)
    }
}

extension StoreReader {
    /// What identity servers tell of this server's users.
    public var identityBindings: IdentityBindingReader { IdentityBindingReader(sql: sql) }
}

extension StoreWriter {
    /// What identity servers tell of this server's users.
    public var identityBindings: IdentityBindingWriter { IdentityBindingWriter(writer: self) }
}
