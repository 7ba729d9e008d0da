import Database
import Matrix

/// A receipt as it is stored.
public struct StoredReceipt: Sendable {
    /// The receipt.
    public let receipt: ReceiptRecord
    /// The journal entry that announced it.
    public let position: StreamPosition
}

/// Look-ups of receipts.
public struct ReceiptReader {
    let sql: ReadTransaction
    let identifiers: IdentifierReader

    private static let columns = "room_num, user_num, type, thread, event_id, event_position, ts, position"
    private static let ofUser = SQL(
        "SELECT \(columns) FROM receipts WHERE room_num = $1 AND user_num = $2 ORDER BY type, thread")
    private static let ofUserInRooms = SQL(
        "SELECT \(columns) FROM receipts WHERE room_num IN list($1) AND user_num = $2 ORDER BY room_num, type, thread")
    private static let one = SQL(
        "SELECT \(columns) FROM receipts WHERE room_num = $1 AND user_num = $2 AND type = $3 AND thread = $4")
    // What others may not see of a receipt is left out here, so that nobody has to remember it.
    private static let changes = SQL(
        """
        SELECT \(columns) FROM receipts WHERE room_num IN list($1) AND position > $2 AND position <= $3
            AND (type = 'm.read' OR user_num = $4) ORDER BY position
        """)
    private static let onEvents = SQL(
        """
        SELECT \(columns) FROM receipts WHERE room_num = $1 AND event_id IN textlist($2)
            AND (type = 'm.read' OR user_num = $3) ORDER BY position
        """)

    /// A user's receipts in a room, public and private, of every thread.
    public func receipts(of user: UserNumber, in room: RoomNumber) throws -> [StoredReceipt] {
        try sql.all(Self.ofUser, room, user, map: decode)
    }

    /// A user's receipts in some rooms, public and private, of every thread.
    public func receipts(of user: UserNumber, in rooms: [RoomNumber]) throws -> [StoredReceipt] {
        try sql.all(Self.ofUserInRooms, rooms.sqlList, user, map: decode)
    }

    /// A user's receipt of that type and thread (`nil` for the whole room), or `nil`.
    public func receipt(
        of user: UserNumber, in room: RoomNumber, type: String, thread: String?
    ) throws -> StoredReceipt? {
        try sql.first(Self.one, room, user, type, thread ?? "", map: decode)
    }

    /// The receipts that were set in a stretch of the journal, oldest first: public ones, and the reader's own private ones.
    ///
    /// - Parameters:
    ///   - rooms: The rooms to look at.
    ///   - reader: Who asks.
    ///   - after: The stretch's beginning, excluded; 0 for all that there are.
    ///   - through: The stretch's end.
    public func changed(
        in rooms: [RoomNumber], visibleTo reader: UserNumber, after: StreamPosition, through: StreamPosition
    ) throws -> [StoredReceipt] {
        try sql.all(Self.changes, rooms.sqlList, after, through, reader, map: decode)
    }

    /// The receipts that point to some events of a room: public ones, and the reader's own private ones.
    public func receipts(
        in room: RoomNumber, on events: [EventID], visibleTo reader: UserNumber
    ) throws -> [StoredReceipt] {
        try sql.all(Self.onEvents, room, events.map(\.string), reader, map: decode)
    }

    private func decode(_ row: Row) throws -> StoredReceipt {
        let user = try row.number(1, as: UserNumber.self)
        let thread = try row.text(3)
        return StoredReceipt(
            receipt: ReceiptRecord(
                room: try row.number(0), user: user, userID: try identifiers.user(user), type: try row.text(2),
                eventID: try row.identifier(4), eventPosition: try row.numberOrNil(5),
                thread: thread.isEmpty ? nil : thread, timestamp: try row.int(6)),
            position: try row.number(7))
    }
}

/// Stores receipts.
public struct ReceiptWriter {
    let writer: StoreWriter

    /// Sets a receipt and announces it, unless there is one already that is at the same event or a later one.
    ///
    /// Where the place of one of the two events is unknown, the newer receipt counts.
    ///
    /// - Returns: Where it was announced, or `nil` if it does not count.
    @discardableResult
    public func advance(_ receipt: ReceiptRecord) throws -> StreamPosition? {
        let current = try writer.read.receipts.receipt(
            of: receipt.user, in: receipt.room, type: receipt.type, thread: receipt.thread)?.receipt
        if let current {
            if current.eventID == receipt.eventID { return nil }
            if let old = current.eventPosition, let new = receipt.eventPosition, new <= old { return nil }
        }
        let position = try writer.journal.append(.receipt(receipt))
        try writer.sql.execute(
            """
            INSERT INTO receipts (room_num, user_num, type, thread, event_id, event_position, ts, position)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (room_num, user_num, type, thread) DO UPDATE SET event_id = excluded.event_id,
                event_position = excluded.event_position, ts = excluded.ts, position = excluded.position
            """, receipt.room, receipt.user, receipt.type, receipt.thread ?? "", receipt.eventID, receipt.eventPosition,
            receipt.timestamp, position)
        return position
    }
}

extension StoreReader {
    /// Receipts.
    public var receipts: ReceiptReader { ReceiptReader(sql: sql, identifiers: identifiers) }
}

extension StoreWriter {
    /// Receipts.
    public var receipts: ReceiptWriter { ReceiptWriter(writer: self) }
}
