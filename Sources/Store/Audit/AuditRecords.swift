import Crypto
import Database
import Matrix

/// An entry of the audit trail as it is stored.
public struct AuditRecord: Sendable, Hashable {
    /// Its place in the trail: from 1, without gaps.
    public let number: Int64
    /// When it was made, in milliseconds since 1970.
    public let time: Int64
    /// What was done.
    public let action: String
    /// Who did it.
    public let actor: String
    /// Whom or what it was done to.
    public let subject: String?
    /// All of it, a JSON text; what is proved is this.
    public let entry: [UInt8]
    /// The SHA-256 of the hash before and the text.
    public let hash: [UInt8]
    /// The key that signed the hash.
    public let keyID: String
    /// The hash's signature.
    public let signature: [UInt8]

    /// What comes before the first entry.
    public static let origin = [UInt8](repeating: 0, count: 32)

    /// The hash of a text that follows another entry.
    public static func hash(of entry: [UInt8], after previous: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: previous + entry))
    }
}

/// Which entries are wanted.
public struct AuditSelection: Sendable {
    /// Only those of this actor, if not `nil`.
    public var actor: String?
    /// Only those about this subject, if not `nil`.
    public var subject: String?
    /// Only those whose action begins so, if not `nil`.
    public var action: String?
    /// Only those not older, in milliseconds since 1970.
    public var since: Int64?

    /// A selection; of all entries by default.
    public init(actor: String? = nil, subject: String? = nil, action: String? = nil, since: Int64? = nil) {
        self.actor = actor
        self.subject = subject
        self.action = action
        self.since = since
    }
}

/// Look-ups in the audit trail.
public struct AuditReader {
    let sql: ReadTransaction

    private static let columns = "num, time_ts, action, actor, subject, entry, hash, key_id, signature"
    private static let onward = SQL("SELECT \(columns) FROM audit WHERE num > $1 ORDER BY num LIMIT $2")
    // One statement for each index: a comparison with what may be null would use none, and read the whole trail.
    private static let ofAll = backward("COALESCE($3, '') = '' AND COALESCE($2, '') = ''")
    private static let byActor = backward("actor = $2 AND COALESCE($3, '') = ''")
    private static let ofSubject = backward("subject = $3 AND COALESCE($2, actor) = actor")

    private static func backward(_ condition: String) -> SQL {
        SQL(
            """
            SELECT \(columns) FROM audit
            WHERE num < $1 AND \(condition)
                AND SUBSTR(action, 1, LENGTH(CAST($4 AS TEXT))) = CAST($4 AS TEXT) AND time_ts >= $5
            ORDER BY num DESC LIMIT $6
            """)
    }

    /// Entries in their order.
    public func entries(after number: Int64, limit: Int) throws -> [AuditRecord] {
        try sql.all(Self.onward, number, limit, map: Self.decode)
    }

    /// Entries of a selection, the latest first.
    public func latest(_ selection: AuditSelection, before number: Int64?, limit: Int) throws -> [AuditRecord] {
        let statement = selection.subject != nil ? Self.ofSubject : selection.actor != nil ? Self.byActor : Self.ofAll
        return try sql.all(
            statement, number ?? Int64.max, selection.actor, selection.subject, selection.action ?? "",
            selection.since ?? 0, limit, map: Self.decode)
    }

    /// How many entries have been made.
    public func count() throws -> Int64 {
        try sql.first("SELECT value FROM counters WHERE name = 'audit'") { try $0.int(0) } ?? 0
    }

    private static func decode(_ row: Row) throws -> AuditRecord {
        AuditRecord(
            number: try row.int(0), time: try row.int(1), action: try row.text(2), actor: try row.text(3),
            subject: try row.textOrNil(4), entry: try row.blob(5), hash: try row.blob(6), keyID: try row.text(7),
            signature: try row.blob(8))
    }
}

/// Lengthens the audit trail.
public struct AuditWriter {
    let writer: StoreWriter

    /// Adds an entry.
    ///
    /// - Parameters:
    ///   - action: What was done.
    ///   - actor: Who did it.
    ///   - subject: Whom or what it was done to.
    ///   - time: When, in milliseconds since 1970.
    ///   - key: What signs it.
    ///   - text: Makes the JSON text of it, given its number.
    public func append(
        action: String, actor: String, subject: String?, time: Int64, signedWith key: SigningKey,
        text: (Int64) -> [UInt8]
    ) throws {
        // Locks the trail until the commit: two nodes never follow the same entry.
        let number = try writer.sql.first(
            "UPDATE counters SET value = value + 1 WHERE name = 'audit' RETURNING value"
        ) { try $0.int(0) }
        guard let number else { throw StoreError.inconsistent("the audit trail has no counter") }
        let previous = try writer.sql.first("SELECT hash FROM audit WHERE num = $1", number - 1) { try $0.blob(0) }
        let entry = text(number)
        let hash = AuditRecord.hash(of: entry, after: previous ?? AuditRecord.origin)
        try writer.sql.execute(
            """
            INSERT INTO audit (num, time_ts, action, actor, subject, entry, hash, key_id, signature)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """, number, time, action, actor, subject, entry, hash, key.keyID.string, try key.sign(hash))
    }
}

extension StoreReader {
    /// The audit trail.
    public var audit: AuditReader { AuditReader(sql: sql) }
}

extension StoreWriter {
    /// The audit trail.
    public var audit: AuditWriter { AuditWriter(writer: self) }
}
