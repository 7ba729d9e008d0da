import Database
import Matrix

/// Look-ups of events.
public struct EventReader {
    let sql: ReadTransaction
    let store: Store

    private static let columns = """
        events.num, events.event_id, events.room_num, events.sender_num, events.state_key_num, events.position, events.state, \
        events.replaces, events.redacted_by, events.status, events.received_ts, events.device_id, events.txn_scope, \
        events.txn_id, rooms.version, events.json, events.room_state
        """
    private static let source = "events JOIN rooms ON rooms.num = events.room_num"
    private static let byNumber = SQL("SELECT \(columns) FROM \(source) WHERE events.num = $1")
    private static let byNumbers = SQL("SELECT \(columns) FROM \(source) WHERE events.num IN list($1)")
    private static let byIDs = SQL("SELECT \(columns) FROM \(source) WHERE events.event_id IN textlist($1)")
    private static let graph = SQL(
        """
        SELECT \(columns) FROM \(source) WHERE events.room_num = $1 AND events.state IS NOT NULL
            AND events.received_ts >= $2
        """
    )
    private static let byID = SQL("SELECT \(columns) FROM \(source) WHERE events.event_id = $1")
    // Answered from the index alone: most of the events are in memory.
    private static let backward = SQL(
        """
        SELECT num FROM events WHERE room_num = $1 AND position > $2 AND position <= $3 ORDER BY position DESC LIMIT $4
        """
    )
    private static let forward = SQL(
        """
        SELECT num FROM events WHERE room_num = $1 AND position > $2 AND position <= $3 ORDER BY position ASC LIMIT $4
        """
    )

    /// The event of that number, or `nil`.
    public func event(_ number: EventNumber) throws -> StoredEvent? {
        if let event = store.eventCache[number] { return event }
        return try sql.first(Self.byNumber, number, map: decode)
    }

    /// The events of those numbers that exist, in no particular order.
    public func events(_ numbers: [EventNumber]) throws -> [StoredEvent] {
        var found: [StoredEvent] = []
        var missing: [Int64] = []
        for number in numbers {
            if let event = store.eventCache[number] { found.append(event) } else { missing.append(number.rawValue) }
        }
        if !missing.isEmpty { found += try sql.all(Self.byNumbers, missing, map: decode) }
        return found
    }

    /// The event of that identifier, whatever its status, or `nil`.
    public func event(_ id: EventID) throws -> StoredEvent? {
        if let number = store.eventCache.number(of: id), let event = store.eventCache[number] { return event }
        return try sql.first(Self.byID, id, map: decode)
    }

    /// The events of those identifiers that this server has, whatever their status, in no particular order.
    public func events(_ ids: [EventID]) throws -> [StoredEvent] {
        var found: [StoredEvent] = []
        var missing: [String] = []
        for id in ids {
            if let number = store.eventCache.number(of: id), let event = store.eventCache[number] {
                found.append(event)
            } else {
                missing.append(id.string)
            }
        }
        if !missing.isEmpty { found += try sql.all(Self.byIDs, missing, map: decode) }
        return found
    }

    /// Events of a room's timeline by their time: those at or after a time, or at or before it, the nearest first.
    ///
    /// - Parameters:
    ///   - timestamp: The time, in milliseconds since 1970.
    ///   - searchesForward: Whether they are to be at or after that time.
    ///   - offset: How many of them are left out.
    public func nearest(
        to timestamp: Int64, in room: RoomNumber, searchesForward: Bool, limit: Int, offset: Int
    ) throws -> [EventNumber] {
        try sql.all(
            searchesForward ? Self.nextByTime : Self.lastByTime, room, timestamp, limit, offset
        ) { try $0.number(0) }
    }

    private static let nextByTime = SQL(
        """
        SELECT num FROM events
        WHERE room_num = $1 AND position IS NOT NULL AND status = 0 AND origin_server_ts >= $2
        ORDER BY origin_server_ts, position LIMIT $3 OFFSET $4
        """)
    private static let lastByTime = SQL(
        """
        SELECT num FROM events
        WHERE room_num = $1 AND position IS NOT NULL AND status = 0 AND origin_server_ts <= $2
        ORDER BY origin_server_ts DESC, position DESC LIMIT $3 OFFSET $4
        """)

    /// The identifiers of the events of those numbers that exist, in the order of the numbers.
    public func identifiers(of numbers: [EventNumber]) throws -> [(number: EventNumber, id: EventID)] {
        try sql.all("SELECT num, event_id FROM events WHERE num IN list($1) ORDER BY num", numbers.sqlList) { row in
            (number: try row.number(0), id: try row.identifier(1))
        }
    }

    /// The event that a client of `sender` has already sent under that name, or `nil`.
    public func event(sender: UserNumber, room: RoomNumber, transaction: EventTransaction) throws -> EventID? {
        try sql.first(
            """
            SELECT event_id FROM events
            WHERE sender_num = $1 AND device_id = $2 AND txn_id = $3 AND txn_scope = $4 AND room_num = $5
            """, sender, transaction.device, transaction.id, transaction.scope, room
        ) { try $0.identifier(0) }
    }

    /// A stretch of a room's timeline.
    ///
    /// - Parameters:
    ///   - after: Events at or before it are left out.
    ///   - through: Events after it are left out.
    ///   - limit: How many at the most.
    ///   - newestFirst: Whether to begin at the end; the result is in that order.
    public func timeline(
        _ room: RoomNumber, after: StreamPosition, through: StreamPosition, limit: Int, newestFirst: Bool
    ) throws -> [StoredEvent] {
        let numbers = try sql.all(newestFirst ? Self.backward : Self.forward, room, after, through, limit) { row in
            try row.number(0, as: EventNumber.self)
        }
        var found: [EventNumber: StoredEvent] = [:]
        found.reserveCapacity(numbers.count)
        for event in try events(numbers) { found[event.number] = event }
        return numbers.compactMap { found[$0] }
    }

    /// The events that have been added to a room's graph since a time in milliseconds since 1970.
    public func graph(of room: RoomNumber, receivedSince time: Int64) throws -> [StoredEvent] {
        try sql.all(Self.graph, room, time, map: decode)
    }

    /// The depth of the first event that came while this server was in a room; `nil` if it never was.
    public func beginning(of room: RoomNumber) throws -> Int64? {
        try sql.first(
            """
            SELECT depth FROM events WHERE room_num = $1 AND position > 0 AND state IS NOT NULL ORDER BY position LIMIT 1
            """, room
        ) { try $0.int(0) }
    }

    /// The room's current state as it was at a position, or `nil` if this server was not in the room then, or does not know it any more.
    ///
    /// - Parameter asAnnounced: Whether history that was fetched later tells nothing of it.
    public func roomState(
        of room: RoomNumber, at position: StreamPosition, asAnnounced: Bool = false
    ) throws -> StateNumber? {
        // Invitations to a room that this server is not in have a place in its timeline, but know no state.
        try sql.first(
            """
            SELECT COALESCE(room_state, state) FROM events
            WHERE room_num = $1 AND position <= $2 AND position > $3 AND state IS NOT NULL
            ORDER BY position DESC LIMIT 1
            """, room, position, asAnnounced ? 0 : Int64.min
        ) { try $0.number(0) }
    }

    private func decode(_ row: Row) throws -> StoredEvent {
        let number = try row.number(0, as: EventNumber.self)
        if let known = store.eventCache[number] { return known }
        guard let version = RoomVersion(id: try row.text(14)), let status = EventStatus(rawValue: try row.int(9)) else {
            throw StoreError.inconsistent("event \(number) has an unknown version or status")
        }
        let event: Event
        do {
            event = try Event(trusted: try row.blob(15), version: version, eventID: try row.identifier(1))
        } catch {
            throw StoreError.inconsistent("event \(number): \(error)")
        }
        var transaction: EventTransaction?
        if let id = try row.textOrNil(13) {
            transaction = EventTransaction(device: try row.identifier(11), scope: try row.textOrNil(12) ?? "", id: id)
        }
        let stored = StoredEvent(
            number: number, event: event, room: try row.number(2), sender: try row.number(3),
            stateKey: try row.numberOrNil(4), position: try row.numberOrNil(5), state: try row.numberOrNil(6),
            roomState: try row.numberOrNil(16), replaces: try row.numberOrNil(7), redactedBy: try row.numberOrNil(8),
            status: status,
            receivedTimestamp: try row.int(10), transaction: transaction
        )
        // Inside a write the row may be rolled back yet.
        if !(sql is WriteTransaction) { store.eventCache.insert(stored) }
        return stored
    }
}

/// Stores events.
public struct EventWriter {
    let writer: StoreWriter

    /// Stores an event, or gives one that was known outside of the graph its place in it. The caller announces it in the journal at
    /// the same position.
    public func insert(_ stored: StoredEvent) throws {
        let event = stored.event
        try writer.sql.execute(
            """
            INSERT INTO events (num, event_id, room_num, sender_num, state_key_num, position, depth, origin_server_ts, state,
                replaces, redacted_by, status, received_ts, device_id, txn_scope, txn_id, json, room_state)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
            ON CONFLICT (num) DO UPDATE SET position = excluded.position, state = excluded.state,
                room_state = excluded.room_state, replaces = excluded.replaces, status = excluded.status,
                received_ts = excluded.received_ts
            """, stored.number, event.eventID, stored.room, stored.sender, stored.stateKey, stored.position,
            event.depth,
            event.originServerTS, stored.state, stored.replaces, stored.redactedBy, stored.status.rawValue,
            stored.receivedTimestamp, stored.transaction?.device, stored.transaction?.scope, stored.transaction?.id,
            event.bytes, stored.roomState
        )
        let cache = writer.store.eventCache
        writer.sql.onCommit { cache.insert(stored) }
    }

    /// Gives an event of the graph other states.
    ///
    /// - Parameter isRejected: Whether those do not allow it: it is taken from the timeline, and its announcement says nothing any more.
    public func restate(
        _ event: StoredEvent, state: StateNumber, roomState: StateNumber?, replaces: EventNumber?,
        isRejected: Bool = false
    ) throws {
        let stored = event.restated(state: state, roomState: roomState, replaces: replaces, isRejected: isRejected)
        try writer.sql.execute(
            "UPDATE events SET state = $1, room_state = $2, replaces = $3, status = $4, position = $5 WHERE num = $6",
            state, roomState, replaces, stored.status.rawValue, stored.position, event.number
        )
        if isRejected {
            try writer.journal.withdraw(event)
            try writer.relations.forget(event)
            try writer.search.remove(event.number)
        }
        let store = writer.store
        writer.sql.onCommit {
            store.eventCache.insert(stored)
            if isRejected { store.journal.withdraw(event) } else { store.journal.replace(stored) }
        }
    }

    /// Replaces an event's stored text by its redacted form: what was redacted is gone from this server.
    public func redact(_ target: StoredEvent, to redacted: Event, by redaction: EventNumber) throws {
        let stored = target.redacted(redacted, by: redaction)
        try writer.sql.execute(
            "UPDATE events SET json = $1, redacted_by = $2 WHERE num = $3", redacted.bytes, redaction, target.number
        )
        try writer.relations.forget(target)
        try writer.search.remove(target.number)
        let store = writer.store
        writer.sql.onCommit {
            store.eventCache.insert(stored)
            store.journal.replace(stored)
        }
    }

    /// Places in a room's timeline before all others that have been given out, the oldest first.
    public func reserveHistory(_ count: Int) throws -> [StreamPosition] {
        guard count > 0 else { return [] }
        let first = try writer.next("backfill", count: count)
        return (first..<first + Int64(count)).reversed().map { StreamPosition(-$0) }
    }

    /// Reserves `count` event numbers and returns the first.
    public func reserveNumbers(_ count: Int) throws -> EventNumber {
        EventNumber(try writer.next("event", count: count))
    }
}

extension StoreReader {
    /// Events.
    public var events: EventReader { EventReader(sql: sql, store: store) }
}

extension StoreWriter {
    /// Events.
    public var events: EventWriter { EventWriter(writer: self) }
}

extension Store {
    /// The event of that number, or `nil`.
    public func event(_ number: EventNumber) async throws -> StoredEvent? {
        if let event = eventCache[number] { return event }
        return try await read { try $0.events.event(number) }
    }

    /// The event of that identifier, or `nil`.
    public func event(_ id: EventID) async throws -> StoredEvent? {
        if let number = eventCache.number(of: id), let event = eventCache[number] { return event }
        return try await read { try $0.events.event(id) }
    }

    /// The events of those identifiers that this server has, whatever their status, by identifier.
    public func events(_ ids: some Sequence<EventID>) async throws -> [EventID: StoredEvent] {
        var found: [EventID: StoredEvent] = [:]
        var missing: [EventID] = []
        for id in ids {
            if let number = eventCache.number(of: id), let event = eventCache[number] {
                found[id] = event
            } else {
                missing.append(id)
            }
        }
        if !missing.isEmpty {
            let wanted = missing
            for event in try await read({ try $0.events.events(wanted) }) { found[event.event.eventID] = event }
        }
        return found
    }

    /// The events of those numbers that exist, by number.
    public func events(_ numbers: some Sequence<EventNumber>) async throws -> [EventNumber: StoredEvent] {
        var found: [EventNumber: StoredEvent] = [:]
        var missing: [EventNumber] = []
        for number in numbers {
            if let event = eventCache[number] { found[number] = event } else { missing.append(number) }
        }
        if !missing.isEmpty {
            let wanted = missing
            for event in try await read({ try $0.events.events(wanted) }) { found[event.number] = event }
        }
        return found
    }
}
