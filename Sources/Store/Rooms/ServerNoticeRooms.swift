import Database
import Matrix

/// Look-ups of the rooms in which the server speaks to its users.
public struct ServerNoticeReader {
    let sql: ReadTransaction

    /// The room of a user; `nil` if the server has not spoken to them yet.
    public func room(of user: UserNumber) throws -> RoomNumber? {
        try sql.first("SELECT room_num FROM server_notice_rooms WHERE user_num = $1", user) { try $0.number(0) }
    }
}

/// Stores the rooms in which the server speaks to its users.
public struct ServerNoticeWriter {
    let writer: StoreWriter

    /// Notes a user's room.
    ///
    /// - Returns: Whether they had none.
    public func set(_ room: RoomNumber, of user: UserNumber) throws -> Bool {
        try writer.sql.executeCounting(
            """
            INSERT INTO server_notice_rooms (user_num, room_num) VALUES ($1, $2) ON CONFLICT (user_num) DO NOTHING
            """, user, room) == 1
    }
}

extension StoreReader {
    /// The rooms in which the server speaks to its users.
    public var serverNotices: ServerNoticeReader { ServerNoticeReader(sql: sql) }
}

extension StoreWriter {
    /// The rooms in which the server speaks to its users.
    public var serverNotices: ServerNoticeWriter { ServerNoticeWriter(writer: self) }
}
