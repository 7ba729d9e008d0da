import Database
import Matrix
import Synchronization

/// Announces what a transaction changes, in that transaction.
public final class JournalWriter {
    private let sql: WriteTransaction
    private let journal: Journal
    private var entries: [JournalEntry] = []

    init(sql: WriteTransaction, journal: Journal) {
        self.sql = sql
        self.journal = journal
    }

    /// Reserves the next `count` positions, and returns the first. Until the transaction ends no other writer, on this node or
    /// another, gets one: that is what makes positions visible in order.
    public func reserve(_ count: Int) throws -> StreamPosition {
        let last = try sql.first(
            "UPDATE counters SET value = value + $1 WHERE name = 'journal' RETURNING value", count
        ) { try $0.int(0) }
        guard let last else { throw StoreError.inconsistent("the journal has no counter") }
        return StreamPosition(last - Int64(count) + 1)
    }

    /// Announces a change, and returns where.
    @discardableResult
    public func append(_ change: JournalChange) throws -> StreamPosition {
        let position = try reserve(1)
        try append(change, at: position)
        return position
    }

    /// Announces a change at a reserved position. Positions must be filled in order, and every one of them.
    public func append(_ change: JournalChange, at position: StreamPosition) throws {
        try sql.execute(
            """
            INSERT INTO journal (position, kind, room_num, user_num, reference, detail) VALUES ($1, $2, $3, $4, $5, $6)
            """, position, change.kind.rawValue, change.room, change.user, change.reference, change.detail
        )
        switch change {
        case .deviceList(let user): try recordDeviceList(of: user, viewer: 0, at: position)
        case .deviceListView(let user, let viewer):
            try recordDeviceList(of: user, viewer: viewer.rawValue, at: position)
        default: break
        }
        entries.append(JournalEntry(position: position, change: change))
    }

    /// Takes back that an event was announced: the entry stays, since positions have no gaps, and says nothing.
    func withdraw(_ event: StoredEvent) throws {
        try sql.execute(
            "UPDATE journal SET kind = $1, user_num = NULL, reference = NULL WHERE position = $2 AND kind = $3",
            JournalKind.memberships.rawValue, event.position, JournalKind.event.rawValue
        )
    }

    /// Takes back everything that was announced of a room in a stretch: the entries stay, since positions have no gaps, and say nothing.
    func withdraw(_ room: RoomNumber, after: StreamPosition, through: StreamPosition) throws {
        try sql.execute(
            """
            UPDATE journal SET kind = $1, room_num = NULL, user_num = NULL, reference = NULL, detail = NULL
            WHERE position > $2 AND position <= $3 AND room_num = $4
            """, JournalKind.nothing.rawValue, after, through, room)
    }

    /// Whoever announces a change of devices or keys leaves it where those who are behind the tail look for it.
    private func recordDeviceList(of user: UserNumber, viewer: Int64, at position: StreamPosition) throws {
        try sql.execute(
            """
            INSERT INTO device_list_changes (user_num, viewer_num, position) VALUES ($1, $2, $3)
            ON CONFLICT (user_num, viewer_num) DO UPDATE SET position = excluded.position
            """, user, viewer, position
        )
    }

    /// Hands the entries to the tail once they are durable. Called once, at the transaction's end.
    func finish() throws {
        guard !entries.isEmpty else { return }
        let journal = journal
        let entries = entries
        sql.onCommit { journal.publish(entries) }
    }
}
