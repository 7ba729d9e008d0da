import Database
import Matrix
import Synchronization

/// Look-ups of events that stick.
public struct StickyEventReader {
    let sql: ReadTransaction

    /// Events of some rooms that stick and have their place in a stretch of the journal, oldest first.
    ///
    /// - Parameters:
    ///   - after: The stretch's beginning, excluded.
    ///   - through: Its end, included.
    ///   - now: In milliseconds since 1970.
    public func events(
        in rooms: [RoomNumber], after: StreamPosition, through: StreamPosition, now: Int64, limit: Int
    ) throws -> [EventNumber] {
        try sql.all(
            """
            SELECT event_num FROM sticky_events
            WHERE room_num IN list($1) AND position > $2 AND position <= $3 AND expires_ts > $4
            ORDER BY position LIMIT $5
            """, rooms.sqlList, after, through, now, limit
        ) { try $0.number(0) }
    }

    /// Events of a room that stick, and have failed softly.
    public func softFailed(in room: RoomNumber, now: Int64, limit: Int) throws -> [EventNumber] {
        try sql.all(
            """
            SELECT event_num FROM sticky_events WHERE room_num = $1 AND position IS NULL AND expires_ts > $2
            ORDER BY event_num LIMIT $3
            """, room, now, limit
        ) { try $0.number(0) }
    }

    /// Rooms with events that stick and have failed softly.
    public func roomsWithSoftFailed(now: Int64) throws -> [RoomNumber] {
        try sql.all("SELECT DISTINCT room_num FROM sticky_events WHERE position IS NULL AND expires_ts > $1", now) {
            try $0.number(0)
        }
    }

    /// When the last of them stops sticking, in milliseconds since 1970; `nil` if there is none.
    func lastExpiry() throws -> Int64? {
        try sql.first("SELECT expires_ts FROM sticky_events ORDER BY expires_ts DESC LIMIT 1") { try $0.int(0) }
    }
}

/// Stores which events stick.
public struct StickyEventWriter {
    let writer: StoreWriter

    /// How many that stick no more are forgotten with each new one.
    private static let forgottenAtOnce = 4

    /// Notes a stored event, if it sticks, or has got a place since it was noted.
    public func note(_ stored: StoredEvent) throws {
        guard let end = stored.event.sticksUntil(received: stored.receivedTimestamp), end > stored.receivedTimestamp,
            stored.status == .accepted && stored.position != nil || stored.status == .softFailed
        else { return }
        try writer.sql.execute(
            """
            INSERT INTO sticky_events (event_num, room_num, position, expires_ts) VALUES ($1, $2, $3, $4)
            ON CONFLICT (event_num) DO UPDATE SET position = excluded.position
            """, stored.number, stored.room, stored.position, end)
        // What has come in pays for what goes: nobody else has to clean up.
        try writer.sql.execute(
            """
            DELETE FROM sticky_events WHERE event_num IN (
                SELECT event_num FROM sticky_events WHERE expires_ts <= $1 ORDER BY expires_ts LIMIT $2)
            """, stored.receivedTimestamp, Self.forgottenAtOnce)
        let store = writer.store
        writer.sql.onCommit { store.stickiness.extend(to: end) }
    }
}

/// Until when anything at all sticks: where nothing does, nobody has to ask the database.
public final class Stickiness: Sendable {
    private let end = Mutex<Int64>(0)

    /// Whether something may stick at a time, in milliseconds since 1970.
    public func mayHold(at now: Int64) -> Bool { end.withLock { $0 > now } }

    func extend(to time: Int64) { end.withLock { $0 = max($0, time) } }
}

extension StoreReader {
    /// Events that stick.
    public var stickyEvents: StickyEventReader { StickyEventReader(sql: sql) }
}

extension StoreWriter {
    /// Events that stick.
    public var stickyEvents: StickyEventWriter { StickyEventWriter(writer: self) }
}

extension Store {
    /// Events of some rooms that stick and have their place in a stretch of the journal, oldest first.
    public func stickyEvents(
        in rooms: [RoomNumber], after: StreamPosition, through: StreamPosition, now: Int64, limit: Int
    ) async throws -> [StoredEvent] {
        guard !rooms.isEmpty, stickiness.mayHold(at: now) else { return [] }
        let numbers = try await read {
            try $0.stickyEvents.events(in: rooms, after: after, through: through, now: now, limit: limit)
        }
        let found = try await events(numbers)
        // What has been redacted since does not stick any more.
        return numbers.compactMap { found[$0] }.filter { $0.event.stickyMilliseconds != nil }
    }
}
