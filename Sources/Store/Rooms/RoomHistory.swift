import Database
import Matrix

/// Looks through what was said in rooms, a little at a time.
public struct RoomHistoryReader {
    let sql: ReadTransaction

    private static let removable = SQL(
        """
        SELECT num, position FROM events
        WHERE room_num = $1 AND position > $2 AND position < $3 AND status = 0
            AND position < (SELECT MAX(position) FROM events WHERE room_num = $1)
            AND NOT EXISTS (
                SELECT 1 FROM forward_extremities AS ends WHERE ends.room_num = $1 AND ends.event_num = events.num)
            AND NOT EXISTS (SELECT 1 FROM partial_joins WHERE partial_joins.room_num = $1)
        ORDER BY position LIMIT $4
        """)

    /// Events of a stretch of a room's timeline that may be taken from it, the oldest first: not the room's newest event, nor those that
    /// nothing follows yet; none where the room's memberships are not all known yet, since they are worked out anew then.
    ///
    /// - Parameters:
    ///   - after: The stretch's beginning, excluded.
    ///   - before: The stretch's end, excluded.
    public func removable(
        in room: RoomNumber, after: StreamPosition, before: StreamPosition, limit: Int
    ) throws -> [(event: EventNumber, position: StreamPosition)] {
        try sql.all(Self.removable, room, after, before, limit) {
            (event: try $0.number(0), position: try $0.number(1))
        }
    }

    /// Messages that have been taken from a room's timeline and of which the text was kept, a page in the order of their numbers.
    ///
    /// - Parameter depth: Those at or beyond that depth of the graph are left out.
    public func keptMessages(
        in room: RoomNumber, above depth: Int64, after: EventNumber, limit: Int
    ) throws -> [EventNumber] {
        try sql.all(
            """
            SELECT num FROM events
            WHERE room_num = $1 AND position IS NULL AND status = 3 AND state_key_num IS NULL AND depth < $2 AND num > $3
            ORDER BY num LIMIT $4
            """, room, depth, after, limit
        ) { try $0.number(0) }
    }

    /// Where the first event is that this server got after a time in milliseconds since 1970: in the timeline, and how deep in the graph;
    /// `nil` if there is none.
    public func place(of room: RoomNumber, after time: Int64) throws -> (position: StreamPosition, depth: Int64)? {
        try sql.first(
            """
            SELECT position, depth FROM events WHERE room_num = $1 AND position > 0 AND received_ts > $2
            ORDER BY position LIMIT 1
            """, room, time
        ) { (position: try $0.number(0), depth: try $0.int(1)) }
    }

    /// A stretch of a room's timeline, the newest first: who sent what.
    ///
    /// - Parameter before: Events at or after it are left out.
    public func senders(
        in room: RoomNumber, before: StreamPosition, limit: Int
    ) throws -> [(event: EventNumber, sender: UserNumber, position: StreamPosition)] {
        try sql.all(
            """
            SELECT num, sender_num, position FROM events WHERE room_num = $1 AND position < $2
            ORDER BY position DESC LIMIT $3
            """, room, before, limit
        ) { (event: try $0.number(0), sender: try $0.number(1), position: try $0.number(2)) }
    }
}

/// Removes what was said in rooms.
public struct RoomHistoryWriter {
    let writer: StoreWriter

    private var sql: WriteTransaction { writer.sql }

    /// Makes events unknown again, as they are to a server that came into the room later. State stays, but in no timeline and outside of
    /// the graph, and so do the messages of one server's users, who may have the only copies; all others are gone. Where other servers are
    /// asked for history, it begins anew with the last of these events.
    ///
    /// The states after them stay, for those who have begun to read.
    ///
    /// - Parameters:
    ///   - events: The events, the oldest first, and not one of those that nothing follows.
    ///   - server: The server of whose users the messages are kept; none if `nil`.
    public func remove(_ events: [EventNumber], keepingMessagesOf server: ServerName?) throws {
        var found: [EventNumber: StoredEvent] = [:]
        for event in try writer.read.events.events(events) { found[event.number] = event }
        var deleted: [StoredEvent] = []
        for event in events.compactMap({ found[$0] }) {
            try detach(event)
            let isKept = event.stateKey != nil || server.map { event.event.sender.isLocal(to: $0) } ?? false
            if isKept { try keep(event) } else { deleted.append(event) }
        }
        if !deleted.isEmpty { try delete(deleted) }
    }

    /// Takes an event from its room's graph and timeline.
    private func detach(_ event: StoredEvent) throws {
        if event.isInGraph {
            // Of what is missing only the last is to be asked for: the rest comes before it.
            try writer.graph.addBackwardExtremities([event.event.eventID], of: event.room)
            for id in event.event.prevEvents { try writer.graph.removeBackwardExtremity(id, of: event.room) }
        }
        for state in [event.state, event.roomState].compactMap({ $0 }) { try writer.states.retain(state, count: -1) }
        try writer.relations.forget(event)
        try writer.search.remove(event.number)
        try writer.search.removeBacklog([event.number])
        try sql.execute("DELETE FROM sticky_events WHERE event_num = $1", event.number)
        guard event.position != nil else { return }
        try writer.journal.withdraw(event)
        let store = writer.store
        sql.onCommit { store.journal.withdraw(event) }
    }

    private func keep(_ event: StoredEvent) throws {
        let stored = event.detached()
        try sql.execute(
            "UPDATE events SET position = NULL, state = NULL, room_state = NULL, status = $1 WHERE num = $2",
            stored.status.rawValue, event.number)
        let store = writer.store
        sql.onCommit { store.eventCache.insert(stored) }
    }

    private func delete(_ events: [StoredEvent]) throws {
        let list = events.map(\.number).sqlList
        try writer.search.removeWords(of: events.map(\.number))
        try sql.execute("DELETE FROM relayed_events WHERE event_num IN list($1)", list)
        try sql.execute("DELETE FROM pending_redactions WHERE redaction_num IN list($1)", list)
        try sql.execute("DELETE FROM pending_pushes WHERE event_num IN list($1)", list)
        try sql.execute("DELETE FROM app_service_queue WHERE event_num IN list($1)", list)
        try sql.execute("DELETE FROM events WHERE num IN list($1)", list)
        let store = writer.store
        for event in events {
            sql.onCommit { store.eventCache.forget(event.number, event.event.eventID) }
            if let redaction = event.redactedBy, redaction != event.number {
                // Should it come again with its text, it is redacted again.
                try writer.graph.addPendingRedaction(of: event.event.eventID, by: redaction)
            }
            if let target = event.event.redacts { try unlink(target, from: event) }
        }
    }

    /// Lets a redaction that is gone redact what it names again when it comes again.
    private func unlink(_ target: EventID, from redaction: StoredEvent) throws {
        guard let event = try writer.read.events.event(target), event.redactedBy == redaction.number,
            event.room == redaction.room, !event.isInGraph
        else { return }
        try sql.execute("UPDATE events SET redacted_by = NULL WHERE num = $1", event.number)
        let store = writer.store
        sql.onCommit { store.eventCache.remove(event.number) }
    }
}

extension StoreReader {
    /// What was said in rooms.
    public var history: RoomHistoryReader { RoomHistoryReader(sql: sql) }
}

extension StoreWriter {
    /// Removes what was said in rooms.
    public var history: RoomHistoryWriter { RoomHistoryWriter(writer: self) }
}
