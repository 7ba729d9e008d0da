import Database
import Matrix

extension Event {
    /// When the event's content is to go, in milliseconds since 1970, if its sender says so: `org.matrix.self_destruct_after` of
    /// [MSC2228](https://github.com/matrix-org/matrix-spec-proposals/pull/2228). State stays.
    public var expiresAt: Int64? { isState ? nil : content["org.matrix.self_destruct_after"]?.int }
}

/// Look-ups of events whose content is to go.
public struct ExpiringEventReader {
    let sql: ReadTransaction

    /// Events whose time has come, those first that are due the longest.
    public func due(at now: Int64, limit: Int) throws -> [EventNumber] {
        try sql.all(
            "SELECT event_num FROM expiring_events WHERE expires_ts <= $1 ORDER BY expires_ts, event_num LIMIT $2", now,
            limit
        ) { try $0.number(0) }
    }

    /// When the next one is due, in milliseconds since 1970; `nil` if there is none.
    public func next() throws -> Int64? {
        try sql.first("SELECT expires_ts FROM expiring_events ORDER BY expires_ts LIMIT 1") { try $0.int(0) }
    }
}

/// Stores which events' content is to go.
public struct ExpiringEventWriter {
    let writer: StoreWriter

    /// Notes a stored event's time, if it has one.
    public func note(_ stored: StoredEvent) throws {
        guard let time = stored.event.expiresAt else { return }
        try writer.sql.execute(
            """
            INSERT INTO expiring_events (event_num, expires_ts) VALUES ($1, $2) ON CONFLICT (event_num) DO NOTHING
            """, stored.number, time)
    }

    /// Replaces an event's stored text by what is left of it when its time has come.
    public func expire(_ target: StoredEvent, to redacted: Event) throws {
        let stored = target.showing(redacted)
        try writer.sql.execute("UPDATE events SET json = $1 WHERE num = $2", redacted.bytes, target.number)
        try forget(target.number)
        try writer.relations.forget(target)
        try writer.search.remove(target.number)
        let store = writer.store
        writer.sql.onCommit {
            store.eventCache.insert(stored)
            store.journal.replace(stored)
        }
    }

    /// Forgets an event's time.
    public func forget(_ event: EventNumber) throws {
        try writer.sql.execute("DELETE FROM expiring_events WHERE event_num = $1", event)
    }
}

extension StoreReader {
    /// Events whose content is to go.
    public var expiringEvents: ExpiringEventReader { ExpiringEventReader(sql: sql) }
}

extension StoreWriter {
    /// Events whose content is to go.
    public var expiringEvents: ExpiringEventWriter { ExpiringEventWriter(writer: self) }
}
