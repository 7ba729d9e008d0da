import Database
import Matrix

/// Look-ups of guests in rooms.
public struct GuestReader {
    let sql: ReadTransaction

    /// The guests of this server who are joined to a room.
    public func guests(in room: RoomNumber) throws -> [(user: UserNumber, userID: UserID)] {
        try sql.all(
            """
            SELECT m.user_num, u.user_id FROM memberships AS m
            JOIN accounts AS a ON a.user_num = m.user_num AND a.is_guest = 1
            JOIN users AS u ON u.num = m.user_num
            WHERE m.room_num = $1 AND m.membership = 1
            """, room
        ) { (try $0.number(0), try $0.identifier(1)) }
    }

    /// The rooms to which guests of this server are joined.
    public func rooms() throws -> [RoomNumber] {
        try sql.all(
            """
            SELECT DISTINCT m.room_num FROM accounts AS a JOIN memberships AS m ON m.user_num = a.user_num
            WHERE a.is_guest = 1 AND m.membership = 1
            """
        ) { try $0.number(0) }
    }
}

extension StoreReader {
    /// Guests in rooms.
    public var guests: GuestReader { GuestReader(sql: sql) }
}
