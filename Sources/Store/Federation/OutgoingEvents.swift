import Database
import Matrix

/// Where an event stands that another server may have to be sent.
public struct OutgoingEventReference: Sendable, Hashable {
    /// The event.
    public let event: EventNumber
    /// Its room.
    public let room: RoomNumber
    /// Its place in the room's timeline.
    public let position: StreamPosition
}

/// What other servers are owed from a stretch of the journal, for those who are further behind than its tail reaches.
///
/// Of events: those that users of this server sent, and those it let in on behalf of another server than the one
/// asked about. Whether that server was in the room at an event is for the caller to find out.
public struct OutgoingEventReader {
    let sql: ReadTransaction
    let identifiers: IdentifierReader
    /// This server.
    let local: ServerName

    // A relayed event counts by its origin; of an event that was handed over, the comparison is null.
    private static let condition = """
        e.position > $2 AND e.position <= $3 AND e.status = 0
        AND ((r.event_num IS NULL AND u.server = $4) OR r.origin <> $5)
        """
    private static let source = """
        events AS e JOIN users AS u ON u.num = e.sender_num LEFT JOIN relayed_events AS r ON r.event_num = e.num
        """
    private static let counting = SQL(
        """
        SELECT e.room_num, COUNT(*) FROM \(source) WHERE e.room_num IN list($1) AND \(condition) GROUP BY e.room_num
        """)
    private static let oldest = SQL(
        """
        SELECT e.num, e.room_num, e.position FROM \(source) WHERE e.room_num IN list($1) AND \(condition)
        ORDER BY e.position LIMIT $6
        """)
    private static let newest = SQL(
        """
        SELECT e.num, e.room_num, e.position FROM \(source) WHERE e.room_num = $1 AND \(condition)
        ORDER BY e.position DESC LIMIT $6
        """)
    private static let receipts = SQL(
        """
        SELECT c.room_num, c.user_num, c.event_id, c.event_position, c.thread, c.ts, c.position FROM receipts AS c
        JOIN users AS u ON u.num = c.user_num AND u.server = $4
        WHERE c.room_num IN list($1) AND c.position > $2 AND c.position <= $3 AND c.type = 'm.read'
        ORDER BY c.position LIMIT $5
        """)

    /// How many events of each room there are.
    public func counts(
        in rooms: [RoomNumber], for server: ServerName, after: StreamPosition, through: StreamPosition
    ) throws -> [RoomNumber: Int] {
        var counts: [RoomNumber: Int] = [:]
        try sql.forEach(Self.counting, rooms.sqlList, after, through, local, server) { row in
            counts[try row.number(0)] = Int(try row.int(1))
        }
        return counts
    }

    /// The oldest events of some rooms, in order.
    public func oldest(
        in rooms: [RoomNumber], for server: ServerName, after: StreamPosition, through: StreamPosition, limit: Int
    ) throws -> [OutgoingEventReference] {
        try sql.all(Self.oldest, rooms.sqlList, after, through, local, server, limit, map: decode)
    }

    /// The newest events of a room, the newest first.
    public func newest(
        in room: RoomNumber, for server: ServerName, after: StreamPosition, through: StreamPosition, limit: Int
    ) throws -> [OutgoingEventReference] {
        try sql.all(Self.newest, room, after, through, local, server, limit, map: decode)
    }

    /// The public receipts of this server's users that were set, oldest first: of each user and thread the last.
    public func receipts(
        in rooms: [RoomNumber], after: StreamPosition, through: StreamPosition, limit: Int
    ) throws -> [StoredReceipt] {
        try sql.all(Self.receipts, rooms.sqlList, after, through, local, limit) { row in
            let user = try row.number(1, as: UserNumber.self)
            let thread = try row.text(4)
            return StoredReceipt(
                receipt: ReceiptRecord(
                    room: try row.number(0), user: user, userID: try identifiers.user(user), type: "m.read",
                    eventID: try row.identifier(2), eventPosition: try row.numberOrNil(3),
                    thread: thread.isEmpty ? nil : thread, timestamp: try row.int(5)),
                position: try row.number(6))
        }
    }

    private func decode(_ row: Row) throws -> OutgoingEventReference {
        OutgoingEventReference(event: try row.number(0), room: try row.number(1), position: try row.number(2))
    }
}

extension StoreReader {
    /// What other servers are owed.
    ///
    /// - Parameter local: This server.
    public func outgoing(from local: ServerName) -> OutgoingEventReader {
        OutgoingEventReader(sql: sql, identifiers: identifiers, local: local)
    }
}
