import Database
import Matrix

/// An event from another server that has been acknowledged and not been looked at yet.
public struct InboxItem: Sendable {
    /// Its place in the order of arrival.
    public let number: Int64
    /// The event.
    public let id: EventID
    /// The server that sent it, which need not be its sender's.
    public let origin: ServerName
    /// When it came, in milliseconds since 1970.
    public let receivedTimestamp: Int64
    /// The event's text, as it is to be kept.
    public let json: [UInt8]
}

/// Look-ups of events that wait to be looked at.
public struct InboxReader {
    let sql: ReadTransaction

    /// The rooms for which something waits.
    public func rooms() throws -> [RoomNumber] {
        try sql.all("SELECT DISTINCT room_num FROM inbox ORDER BY room_num") { try $0.number(0) }
    }

    /// What waits for a room, in the order of arrival.
    ///
    /// - Parameter excluded: What is left out, by number.
    public func items(for room: RoomNumber, except excluded: [Int64] = [], limit: Int) throws -> [InboxItem] {
        try sql.all(
            """
            SELECT num, event_id, origin, received_ts, json FROM inbox
            WHERE room_num = $1 AND NOT num IN list($3) ORDER BY num LIMIT $2
            """, room, limit, excluded
        ) { row in
            InboxItem(
                number: try row.int(0), id: try row.identifier(1), origin: try row.identifier(2),
                receivedTimestamp: try row.int(3), json: try row.blob(4)
            )
        }
    }

    /// How many events wait for a room.
    public func count(for room: RoomNumber) throws -> Int {
        try sql.first("SELECT COUNT(*) FROM inbox WHERE room_num = $1", room) { Int(try $0.int(0)) } ?? 0
    }
}

/// Stores events that wait to be looked at.
public struct InboxWriter {
    let writer: StoreWriter

    /// Takes an event in; one that waits already stays where it is.
    public func add(_ event: Event, to room: RoomNumber, from origin: ServerName, receivedTimestamp: Int64) throws {
        try writer.sql.execute(
            """
            INSERT INTO inbox (room_num, event_id, origin, received_ts, json) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (event_id) DO NOTHING
            """, room, event.eventID, origin, receivedTimestamp, event.bytes
        )
    }

    /// Removes what has been looked at.
    public func remove(_ numbers: [Int64]) throws {
        try writer.sql.execute("DELETE FROM inbox WHERE num IN list($1)", numbers)
    }
}

extension StoreReader {
    /// Events that wait to be looked at.
    public var inbox: InboxReader { InboxReader(sql: sql) }
}

extension StoreWriter {
    /// Events that wait to be looked at.
    public var inbox: InboxWriter { InboxWriter(writer: self) }
}
