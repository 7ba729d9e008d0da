import Database
import Matrix

/// A server that an administrator allows or denies while the server runs.
public struct FederationRule: Sendable, Hashable {
    /// The server's name, or `*.` and a domain.
    public let pattern: String
    /// Whether it is allowed; else it is denied.
    public let isAllowed: Bool
    /// Who said so: a user ID, or how else they came.
    public let addedBy: String
    /// When, in milliseconds since 1970.
    public let addedAt: Int64

    /// A rule.
    public init(pattern: String, isAllowed: Bool, addedBy: String, addedAt: Int64) {
        self.pattern = pattern
        self.isAllowed = isAllowed
        self.addedBy = addedBy
        self.addedAt = addedAt
    }
}

/// Look-ups of rules for other servers.
public struct FederationRuleReader {
    let sql: ReadTransaction

    /// All rules, by their pattern.
    public func all() throws -> [FederationRule] {
        try sql.all("SELECT pattern, is_allowed, added_by, added_ts FROM federation_rules ORDER BY pattern") { row in
            FederationRule(
                pattern: try row.text(0), isAllowed: try row.bool(1), addedBy: try row.text(2),
                addedAt: try row.int(3))
        }
    }
}

/// Stores rules for other servers.
public struct FederationRuleWriter {
    let writer: StoreWriter

    /// Stores a rule, in the place of one with the same pattern.
    public func set(_ rule: FederationRule) throws {
        try writer.sql.execute(
            """
            INSERT INTO federation_rules (pattern, is_allowed, added_by, added_ts) VALUES ($1, $2, $3, $4)
            ON CONFLICT (pattern) DO UPDATE SET is_allowed = excluded.is_allowed, added_by = excluded.added_by,
                added_ts = excluded.added_ts
            """, rule.pattern, rule.isAllowed, rule.addedBy, rule.addedAt)
    }

    /// Removes a rule.
    ///
    /// - Returns: Whether there was one.
    public func remove(_ pattern: String) throws -> Bool {
        try writer.sql.executeCounting("DELETE FROM federation_rules WHERE pattern = $1", pattern) == 1
    }
}

extension StoreReader {
    /// Rules for other servers.
    public var federationRules: FederationRuleReader { FederationRuleReader(sql: sql) }
}

extension StoreWriter {
    /// Rules for other servers.
    public var federationRules: FederationRuleWriter { FederationRuleWriter(writer: self) }
}
