import Database
import Matrix

/// A journal entry as the database has it: where, and of what; the payload is in the tables of its topic.
public struct JournalRow: Sendable {
    /// What an entry is about, as far as anybody who reads the stored journal wants to know.
    public enum Subject: Sendable {
        /// An event.
        case event(EventNumber, RoomNumber)
        /// A receipt of a user in a room, of that type.
        case receipt(UserNumber, RoomNumber, type: String)
        /// The devices or keys of a user.
        case deviceList(UserNumber)
        /// The presence of a user.
        case presence(UserNumber)
        /// Memberships of a room that are not what its events make of them.
        case memberships(RoomNumber)
        /// A message for a device.
        case toDevice(UserNumber, DeviceID)
        /// The number of a device's one-time or fallback keys.
        case oneTimeKeys(UserNumber, DeviceID)
        /// Something else.
        case other
    }

    /// The place in the journal.
    public let position: StreamPosition
    /// What it is about.
    public let subject: Subject
}

/// Look-ups in the stored journal, for those who were not there when its entries passed.
public struct JournalReader {
    let sql: ReadTransaction

    /// The entries after a position, in order.
    public func rows(after position: StreamPosition, limit: Int) throws -> [JournalRow] {
        try sql.all(
            """
            SELECT position, kind, room_num, user_num, reference, detail FROM journal
            WHERE position > $1 ORDER BY position LIMIT $2
            """, position, limit
        ) { JournalRow(position: try $0.number(0), subject: try subject($0)) }
    }

    /// Events of some rooms that were announced in a stretch, the latest first.
    ///
    /// - Parameters:
    ///   - after: The stretch's beginning, excluded.
    ///   - before: The stretch's end, excluded.
    public func events(
        in rooms: [RoomNumber], after: StreamPosition, before: StreamPosition, limit: Int
    ) throws -> [EventNumber] {
        try sql.all(
            """
            SELECT reference FROM journal WHERE position > $2 AND position < $3 AND kind = $5 AND room_num IN list($1)
            ORDER BY position DESC LIMIT $4
            """, rooms.sqlList, after, before, limit, JournalKind.event.rawValue
        ) { try $0.number(0) }
    }

    private func subject(_ row: Row) throws -> JournalRow.Subject {
        switch JournalKind(rawValue: try row.int(1)) {
        case .event: return .event(try row.number(4), try row.number(2))
        case .receipt:
            // The type comes first, then a blank and the thread.
            let type = try row.text(5).split(separator: " ").first.map { String($0) }
            return .receipt(try row.number(3), try row.number(2), type: type ?? "")
        case .deviceList: return .deviceList(try row.number(3))
        case .presence: return .presence(try row.number(3))
        case .memberships: return .memberships(try row.number(2))
        case .toDevice: return .toDevice(try row.number(3), try row.identifier(5))
        case .oneTimeKeys: return .oneTimeKeys(try row.number(3), try row.identifier(5))
        default: return .other
        }
    }
}

extension StoreReader {
    /// The stored journal.
    public var journal: JournalReader { JournalReader(sql: sql) }
}
