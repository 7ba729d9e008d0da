import Database
import Matrix

/// What kind of long work an administrator has asked for. Never renumber.
public enum JobKind: Int64, Sendable {
    /// A room is emptied, and removed if that was asked for.
    case roomDeletion = 1
    /// What was said in a room before a moment is removed.
    case historyPurge = 2
    /// What a user has said is redacted.
    case userRedaction = 3
}

/// How far long work is. Never renumber.
public enum JobStatus: Int64, Sendable {
    /// It waits.
    case scheduled = 0
    /// It goes on; after a stop of the server it goes on with the next start.
    case active = 1
    /// It is done.
    case complete = 2
    /// It broke off.
    case failed = 3

    /// The name by which Synapse's tools know it.
    public var name: String {
        switch self {
        case .scheduled: "scheduled"
        case .active: "active"
        case .complete: "complete"
        case .failed: "failed"
        }
    }
}

/// Long work that an administrator has asked for.
public struct JobRecord: Sendable {
    /// Its name.
    public let id: String
    /// What kind of work it is.
    public let kind: JobKind
    /// The room or the user that it is about.
    public let subject: String
    /// How far it is.
    public var status: JobStatus
    /// What was asked for: a JSON object.
    public let input: JSON
    /// What has come of it so far: a JSON object.
    public var result: JSON
    /// Why it broke off.
    public var error: String?
    /// When it was asked for, in milliseconds since 1970.
    public let created: Int64
}

/// Look-ups of long work.
public struct JobReader {
    let sql: ReadTransaction

    private static let columns = "id, kind, subject, status, input, result, error, created_ts"
    private static let one = SQL("SELECT \(columns) FROM jobs WHERE id = $1")
    private static let ofSubject = SQL(
        "SELECT \(columns) FROM jobs WHERE subject = $1 AND kind = $2 ORDER BY created_ts, id LIMIT $3")
    private static let unfinished = SQL(
        "SELECT \(columns) FROM jobs WHERE status < 2 ORDER BY created_ts, id LIMIT $1")

    /// The work of that name, or `nil`.
    public func job(_ id: String) throws -> JobRecord? { try sql.first(Self.one, id, map: Self.decode) }

    /// Work of a kind about something, the oldest first.
    public func jobs(_ kind: JobKind, about subject: String, limit: Int) throws -> [JobRecord] {
        try sql.all(Self.ofSubject, subject, kind.rawValue, limit, map: Self.decode)
    }

    /// Work that is not done, the oldest first.
    public func unfinished(limit: Int) throws -> [JobRecord] {
        try sql.all(Self.unfinished, limit, map: Self.decode)
    }

    /// How much work is not done.
    public func unfinishedCount() throws -> Int {
        try sql.first("SELECT COUNT(*) FROM jobs WHERE status < 2") { Int(try $0.int(0)) } ?? 0
    }

    private static func decode(_ row: Row) throws -> JobRecord {
        guard let kind = JobKind(rawValue: try row.int(1)), let status = JobStatus(rawValue: try row.int(3)) else {
            throw StoreError.inconsistent("a job is of unknown kind or status")
        }
        return JobRecord(
            id: try row.text(0), kind: kind, subject: try row.text(2), status: status,
            input: try JSON(parsing: try row.blob(4)), result: try JSON(parsing: try row.blob(5)),
            error: try row.textOrNil(6), created: try row.int(7))
    }
}

/// Stores long work.
public struct JobWriter {
    let writer: StoreWriter

    /// Keeps what was asked for.
    ///
    /// - Returns: Whether it is to be done: not while work of that kind about the same is not done.
    public func add(
        _ id: String, _ kind: JobKind, about subject: String, input: JSONValue, result: JSONValue, now: Int64
    ) throws -> Bool {
        try writer.sql.executeCounting(
            """
            INSERT INTO jobs (id, kind, subject, status, input, result, created_ts, changed_ts)
            VALUES ($1, $2, $3, 0, $4, $5, $6, $6) ON CONFLICT DO NOTHING
            """, id, kind.rawValue, subject, input.serialized(), result.serialized(), now) == 1
    }

    /// Notes how far work has come. What is done or broke off stays so.
    public func update(_ id: String, _ status: JobStatus, result: JSONValue?, error: String? = nil, now: Int64) throws {
        try writer.sql.execute(
            """
            UPDATE jobs SET status = $2, result = COALESCE($3, result), error = $4, changed_ts = $5
            WHERE id = $1 AND status < 2
            """, id, status.rawValue, result?.serialized(), error, now)
    }

    /// Forgets work that has been done since before a time in milliseconds since 1970, and all but the last of the rest.
    public func forget(before time: Int64, keeping count: Int) throws {
        try writer.sql.execute("DELETE FROM jobs WHERE status >= 2 AND changed_ts < $1", time)
        try writer.sql.execute(
            """
            DELETE FROM jobs WHERE id IN (
                SELECT id FROM jobs WHERE status >= 2 ORDER BY changed_ts DESC LIMIT 1000 OFFSET $1)
            """, count)
    }
}

extension StoreReader {
    /// Long work.
    public var jobs: JobReader { JobReader(sql: sql) }
}

extension StoreWriter {
    /// Long work.
    public var jobs: JobWriter { JobWriter(writer: self) }
}
