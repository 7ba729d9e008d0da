import Database
import Matrix

/// Looks through what was said in rooms, a little at a time.
public struct RoomHistoryReader {
    let sql: ReadTransaction

    private static let removable = SQL(
        """
        SELECT num, position FROM events
        WHERE room_num = $1 AND position > $2 AND position < $3 AND status = 0 AND \(RetentionReader.isRemovable)
            AND ($4 = '' OR NOT EXISTS (
                SELECT 1 FROM users WHERE users.num = events.sender_num AND users.server = $4))
        ORDER BY position LIMIT $5
        """)

    /// Messages of a stretch of a room's timeline that may be taken from it: not the room's newest event, nor those that nothing follows yet.
    ///
    /// - Parameters:
    ///   - after: The stretch's beginning, excluded.
    ///   - before: The stretch's end, excluded.
    ///   - server: The server whose users' messages are left out; none if `nil`.
    public func removable(
        in room: RoomNumber, after: StreamPosition, before: StreamPosition, exceptOf server: ServerName?, limit: Int
    ) throws -> [(event: EventNumber, position: StreamPosition)] {
        try sql.all(Self.removable, room, after, before, server?.string ?? "", limit) {
            (event: try $0.number(0), position: try $0.number(1))
        }
    }

    /// The place of the first event that this server got after a time in milliseconds since 1970; `nil` if there is none.
    public func place(of room: RoomNumber, after time: Int64) throws -> StreamPosition? {
        try sql.first(
            """
            SELECT position FROM events WHERE room_num = $1 AND position > 0 AND received_ts > $2
            ORDER BY position LIMIT 1
            """, room, time
        ) { try $0.number(0) }
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

extension StoreReader {
    /// What was said in rooms.
    public var history: RoomHistoryReader { RoomHistoryReader(sql: sql) }
}
