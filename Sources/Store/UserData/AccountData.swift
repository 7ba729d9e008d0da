import Database
import Matrix

/// An item of account data as it is stored.
public struct StoredAccountData: Sendable {
    /// The item.
    public let data: AccountDataRecord
    /// Whether its owner has deleted it; its content is `{}` then.
    public let isDeleted: Bool
    /// The journal entry that announced it.
    public let position: StreamPosition
}

/// Look-ups of account data, global and per room.
public struct AccountDataReader {
    let sql: ReadTransaction

    /// A user's item of that type, deleted or not, or `nil` if there never was one.
    public func item(of user: UserNumber, room: RoomNumber?, type: String) throws -> StoredAccountData? {
        try sql.first(
            """
            SELECT user_num, room_num, type, content, deleted, position FROM account_data
            WHERE user_num = $1 AND room_num = $2 AND type = $3
            """, user, room.orGlobal, type, map: decode)
    }

    /// All that a user keeps under a room, or globally, without what was deleted.
    public func items(of user: UserNumber, room: RoomNumber?) throws -> [StoredAccountData] {
        try sql.all(
            """
            SELECT user_num, room_num, type, content, deleted, position FROM account_data
            WHERE user_num = $1 AND room_num = $2 AND deleted = 0 ORDER BY type
            """, user, room.orGlobal, map: decode)
    }

    /// All that a user keeps, without what was deleted.
    public func items(of user: UserNumber) throws -> [StoredAccountData] {
        try sql.all(
            """
            SELECT user_num, room_num, type, content, deleted, position FROM account_data
            WHERE user_num = $1 AND deleted = 0 ORDER BY room_num, type
            """, user, map: decode)
    }

    /// What a user changed in a stretch of the journal, deletions included, oldest first.
    public func changed(
        of user: UserNumber, after: StreamPosition, through: StreamPosition
    ) throws -> [StoredAccountData] {
        try sql.all(
            """
            SELECT user_num, room_num, type, content, deleted, position FROM account_data
            WHERE user_num = $1 AND position > $2 AND position <= $3 ORDER BY position
            """, user, after, through, map: decode)
    }

    /// How many items a user keeps, and their size in bytes.
    public func usage(of user: UserNumber) throws -> (count: Int, bytes: Int) {
        try sql.first(
            "SELECT COUNT(*), COALESCE(SUM(LENGTH(content)), 0) FROM account_data WHERE user_num = $1 AND deleted = 0",
            user
        ) { (Int(try $0.int(0)), Int(try $0.int(1))) } ?? (0, 0)
    }

    private func decode(_ row: Row) throws -> StoredAccountData {
        let room = try row.int(1)
        return StoredAccountData(
            data: AccountDataRecord(
                user: try row.number(0), room: room == 0 ? nil : RoomNumber(room), type: try row.text(2),
                content: try row.blob(3)),
            isDeleted: try row.bool(4), position: try row.number(5))
    }
}

/// Stores account data.
public struct AccountDataWriter {
    let writer: StoreWriter

    /// Stores an item and announces it.
    ///
    /// - Parameters:
    ///   - data: The item.
    ///   - announced: The content that clients are told, where that is not the one stored.
    ///   - deleted: Whether this is a deletion; the content is `{}` then.
    @discardableResult
    public func set(
        _ data: AccountDataRecord, announcing announced: [UInt8]? = nil, deleted: Bool = false
    ) throws -> StreamPosition {
        let position = try writer.journal.append(
            .accountData(
                AccountDataRecord(user: data.user, room: data.room, type: data.type, content: announced ?? data.content)
            ))
        try writer.sql.execute(
            """
            INSERT INTO account_data (user_num, room_num, type, content, deleted, position) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (user_num, room_num, type) DO UPDATE SET content = excluded.content, deleted = excluded.deleted,
                position = excluded.position
            """, data.user, data.room.orGlobal, data.type, data.content, deleted, position)
        return position
    }

    /// Removes all that a user keeps, without telling anyone: the account is gone.
    public func removeAll(of user: UserNumber) throws {
        try writer.sql.execute("DELETE FROM account_data WHERE user_num = $1", user)
    }
}

extension RoomNumber? {
    /// How "no room" is written in a column that belongs to a primary key.
    fileprivate var orGlobal: Int64 { self?.rawValue ?? 0 }
}

extension StoreReader {
    /// Account data.
    public var accountData: AccountDataReader { AccountDataReader(sql: sql) }
}

extension StoreWriter {
    /// Account data.
    public var accountData: AccountDataWriter { AccountDataWriter(writer: self) }
}
