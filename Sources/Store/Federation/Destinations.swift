import Database
import Matrix

/// What is known of a server that this one sends to.
public struct DestinationRecord: Sendable, Equatable {
    /// The server.
    public var server: ServerName
    /// What concerns it up to here has been delivered.
    public var sentThrough: StreamPosition
    /// Up to here something may wait for it.
    public var queuedThrough: StreamPosition
    /// How many attempts have failed since the last that did not.
    public var failures: Int
    /// How long was waited before the last attempt, in milliseconds.
    public var intervalMilliseconds: Int64
    /// When the next attempt is due, in milliseconds since 1970.
    public var retryAt: Int64
    /// When the first of the failed attempts was.
    public var firstFailure: Int64?
    /// When the last attempt that did not fail was.
    public var lastSuccess: Int64?
    /// When the last attempt was.
    public var lastAttempt: Int64?
    /// Why the last attempt failed.
    public var lastError: String?

    /// A destination of which nothing more is known.
    public init(server: ServerName, sentThrough: StreamPosition, queuedThrough: StreamPosition) {
        self.server = server
        self.sentThrough = sentThrough
        self.queuedThrough = queuedThrough
        failures = 0
        intervalMilliseconds = 0
        retryAt = 0
    }
}

/// Look-ups of destinations.
public struct DestinationReader {
    let sql: ReadTransaction

    private static let columns = """
        server, sent_through, queued_through, failures, interval_ms, retry_ts, first_failure_ts, last_success_ts, \
        last_attempt_ts, last_error
        """
    private static let one = SQL("SELECT \(columns) FROM destinations WHERE server = $1")
    private static let page = SQL("SELECT \(columns) FROM destinations WHERE server > $1 ORDER BY server LIMIT $2")
    private static let waiting = SQL(
        "SELECT \(columns) FROM destinations WHERE queued_through > sent_through OR failures > 0 ORDER BY server")

    /// A destination, or `nil` if nothing was ever sent there.
    public func destination(_ server: ServerName) throws -> DestinationRecord? {
        try sql.first(Self.one, server, map: decode)
    }

    /// Destinations in the order of their names.
    public func destinations(after server: ServerName?, limit: Int) throws -> [DestinationRecord] {
        try sql.all(Self.page, server?.string ?? "", limit, map: decode)
    }

    /// The destinations for which something may wait in the journal, and those that could not be reached.
    public func waiting() throws -> [DestinationRecord] { try sql.all(Self.waiting, map: decode) }

    /// The destinations that have been sent what comes after `position`, and through where.
    public func sent(beyond position: StreamPosition) throws -> [ServerName: StreamPosition] {
        var found: [ServerName: StreamPosition] = [:]
        try sql.forEach("SELECT server, sent_through FROM destinations WHERE sent_through > $1", position) { row in
            found[try row.identifier(0)] = try row.number(1)
        }
        return found
    }

    /// How far the journal has been looked through for what concerns other servers.
    public func dispatchedThrough() throws -> StreamPosition {
        let value = try sql.first("SELECT value FROM counters WHERE name = 'federation'") { try $0.int(0) }
        return StreamPosition(value ?? 0)
    }

    private func decode(_ row: Row) throws -> DestinationRecord {
        var record = DestinationRecord(
            server: try row.identifier(0), sentThrough: try row.number(1), queuedThrough: try row.number(2)
        )
        record.failures = Int(try row.int(3))
        record.intervalMilliseconds = try row.int(4)
        record.retryAt = try row.int(5)
        record.firstFailure = try row.intOrNil(6)
        record.lastSuccess = try row.intOrNil(7)
        record.lastAttempt = try row.intOrNil(8)
        record.lastError = try row.textOrNil(9)
        return record
    }
}

/// Stores destinations. Positions only grow, so that writes that overtake each other do no harm.
public struct DestinationWriter {
    let writer: StoreWriter

    /// Notes that something may wait for a destination.
    public func queue(_ server: ServerName, sentThrough: StreamPosition, queuedThrough: StreamPosition) throws {
        try writer.sql.execute(
            """
            INSERT INTO destinations (server, sent_through, queued_through) VALUES ($1, $2, $3)
            ON CONFLICT (server) DO UPDATE SET
                sent_through = GREATEST(destinations.sent_through, excluded.sent_through),
                queued_through = GREATEST(destinations.queued_through, excluded.queued_through)
            """, server, sentThrough, queuedThrough
        )
    }

    /// Stores all that is known of a destination.
    public func set(_ record: DestinationRecord) throws {
        try writer.sql.execute(
            """
            INSERT INTO destinations (server, sent_through, queued_through, failures, interval_ms, retry_ts,
                first_failure_ts, last_success_ts, last_attempt_ts, last_error)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT (server) DO UPDATE SET
                sent_through = GREATEST(destinations.sent_through, excluded.sent_through),
                queued_through = GREATEST(destinations.queued_through, excluded.queued_through),
                failures = excluded.failures, interval_ms = excluded.interval_ms, retry_ts = excluded.retry_ts,
                first_failure_ts = excluded.first_failure_ts,
                last_success_ts = COALESCE(excluded.last_success_ts, destinations.last_success_ts),
                last_attempt_ts = COALESCE(excluded.last_attempt_ts, destinations.last_attempt_ts),
                last_error = excluded.last_error
            """, record.server, record.sentThrough, record.queuedThrough, record.failures, record.intervalMilliseconds,
            record.retryAt, record.firstFailure, record.lastSuccess, record.lastAttempt, record.lastError
        )
    }

    /// Notes how far the journal has been looked through for what concerns other servers.
    public func setDispatched(through position: StreamPosition) throws {
        try writer.sql.execute(
            "UPDATE counters SET value = GREATEST(value, $1) WHERE name = 'federation'", position
        )
    }

    /// Forgets the destinations that share no room with this server any more, to which nothing is owed, and to which
    /// nothing was sent since `time`.
    ///
    /// - Returns: Which.
    public func forgetStrangers(to local: ServerName, idleSince time: Int64) throws -> [ServerName] {
        try writer.sql.all(
            """
            DELETE FROM destinations WHERE queued_through <= sent_through AND failures = 0
                AND COALESCE(last_attempt_ts, 0) < $2
                AND NOT EXISTS (SELECT 1 FROM outgoing_device_messages AS o WHERE o.server = destinations.server)
                AND NOT EXISTS (
                    SELECT 1 FROM users AS u
                    JOIN memberships AS theirs ON theirs.user_num = u.num AND theirs.membership = 1
                    JOIN memberships AS ours ON ours.room_num = theirs.room_num AND ours.membership = 1
                    JOIN users AS o ON o.num = ours.user_num AND o.server = $1
                    WHERE u.server = destinations.server
                )
            RETURNING server
            """, local, time
        ) { try $0.identifier(0) }
    }
}

extension StoreReader {
    /// Servers that this one sends to.
    public var destinations: DestinationReader { DestinationReader(sql: sql) }
}

extension StoreWriter {
    /// Servers that this one sends to.
    public var destinations: DestinationWriter { DestinationWriter(writer: self) }
}
