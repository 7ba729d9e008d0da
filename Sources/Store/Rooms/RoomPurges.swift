import Database
import Matrix

/// A room that is being removed: this server knows it no more, and what there still is of it goes in small steps.
public struct RoomPurge: Sendable, Hashable {
    /// What is being removed. The order matters: what points to something else goes first. Never renumber.
    public enum Step: Int64, Sendable, CaseIterable {
        /// What waits for somebody.
        case deliveries = 0
        /// Its events, with all that is known of each.
        case events = 1
        /// Its states.
        case states = 2
        /// What the journal says of it.
        case journal = 3
        /// Who was in it, and what they kept of it.
        case people = 4
        /// The keys to it in users' backups.
        case keys = 5
        /// The rest, and its number.
        case rest = 6
    }

    /// The number that it had.
    public let number: RoomNumber
    /// The room.
    public let id: RoomID
    /// What is being removed now.
    public let step: Step
    /// How far that has come, as the step counts it.
    let place: Int64
    let firstPosition: StreamPosition
    /// How many events it had.
    public let events: Int64
    /// How many of them are gone.
    public let removed: Int64
}

/// Look-ups of rooms that are being removed.
public struct RoomPurgeReader {
    let sql: ReadTransaction

    /// Whether and how far a room is being removed.
    public func purge(of room: RoomID) throws -> RoomPurge? {
        try sql.first(
            """
            SELECT room_num, room_id, step, place, first_position, events, removed FROM room_purges WHERE room_id = $1
            """, room
        ) { row in
            guard let step = RoomPurge.Step(rawValue: try row.int(2)) else {
                throw StoreError.inconsistent("unknown step of a room's removal: \(try row.int(2))")
            }
            return RoomPurge(
                number: try row.number(0), id: try row.identifier(1), step: step, place: try row.int(3),
                firstPosition: try row.number(4), events: try row.int(5), removed: try row.int(6))
        }
    }

    /// How many events a room has, whatever their status.
    public func eventCount(of room: RoomNumber) throws -> Int64 {
        try sql.first("SELECT COUNT(*) FROM events WHERE room_num = $1", room) { try $0.int(0) } ?? 0
    }
}

/// Removes rooms.
public struct RoomPurgeWriter {
    let writer: StoreWriter

    private var sql: WriteTransaction { writer.sql }

    /// Events removed in one transaction: few, so that those who write at the same time do not wait long.
    private static let eventsAtOnce = 100
    private static let rowsAtOnce = 500
    private static let entriesAtOnce = 2_000
    private static let positionsAtOnce: Int64 = 5_000
    private static let backupsAtOnce = 200

    /// Makes a room one that this server does not know, and notes that it is to be removed. Its name is free from now on, but nobody may
    /// come into a room of that name before all is gone: the events would be the same.
    ///
    /// - Parameters:
    ///   - room: The room.
    ///   - name: What it is called from now on: a name that nobody can think of.
    ///   - server: This server, whose users are told that they have nothing to do with it any more.
    ///   - events: How many events it has.
    ///   - evenIfJoined: Whether it goes even if users of this server are in it.
    /// - Returns: Whether it goes: not, if users of this server are in it, or if there is no such room.
    public func begin(
        _ room: RoomNumber, as name: RoomID, of server: ServerName, events: Int64, evenIfJoined: Bool
    ) throws -> Bool {
        guard let record = try writer.read.rooms.room(room), record.head >= 0 else { return false }
        guard try evenIfJoined || writer.read.memberships.joinedCount(of: server, in: room) == 0 else { return false }
        let users = try sql.all(
            """
            SELECT user_num FROM memberships JOIN users ON users.num = memberships.user_num
            WHERE memberships.room_num = $1 AND users.server = $2 ORDER BY user_num
            """, room, server
        ) { try $0.number(0, as: UserNumber.self) }
        let first = try sql.first(
            "SELECT position FROM events WHERE room_num = $1 AND position > 0 ORDER BY position LIMIT 1", room
        ) { try $0.int(0) }
        try sql.execute(
            "DELETE FROM memberships WHERE room_num = $1 AND user_num IN list($2)", room, users.sqlList)
        for table in Self.small { try sql.execute(SQL("DELETE FROM \(table) WHERE room_num = $1"), room) }
        try sql.execute(
            """
            UPDATE rooms SET room_id = $2, head = -1, state = NULL, published = 0, blocked = 0 WHERE num = $1
            """, room, name)
        try sql.execute(
            """
            INSERT INTO room_purges (room_num, room_id, step, place, first_position, events, removed)
            VALUES ($1, $2, $3, 0, $4, $5, 0)
            """, room, record.id, RoomPurge.Step.deliveries.rawValue, (first ?? 1) - 1, events)
        let store = writer.store
        sql.onCommit {
            store.identifiers.forget(record.id, room)
            store.journal.forget(room)
            store.lifetimes.set(nil, of: room)
            store.partial.withLock { $0[room] = nil }
        }
        writer.announce(.room(room))
        if !users.isEmpty { try writer.journal.append(.memberships(room, of: users)) }
        return true
    }

    /// Tables of which a room has few rows.
    private static let small = [
        "room_aliases", "delayed_events", "server_notice_rooms", "open_rooms", "app_service_rooms", "room_retention",
        "partial_joins", "forward_extremities", "meetings",
    ]
    /// Tables of which a room has rows for each of many users.
    private static let byUser = [
        "account_data", "unread_counts", "thread_subscriptions", "receipts", "stripped_states", "memberships",
    ]

    /// Removes a little more of a room.
    ///
    /// - Returns: How far it has come; `nil` once nothing is left.
    public func advance(_ purge: RoomPurge) throws -> RoomPurge? {
        switch purge.step {
        case .deliveries: return try finish(purge, unless: removeDeliveries(of: purge.number))
        case .events:
            let count = try removeEvents(of: purge.number)
            return try move(
                purge, to: count == 0 ? .states : .events, place: 0, removed: purge.removed + Int64(count))
        case .states: return try finish(purge, unless: removeStates(of: purge.number))
        case .journal: return try removeAnnouncements(purge)
        case .people: return try finish(purge, unless: removePeople(of: purge.number))
        case .keys: return try removeKeys(purge)
        case .rest:
            try removeRest(of: purge)
            return nil
        }
    }

    private func finish(_ purge: RoomPurge, unless isUnfinished: Bool) throws -> RoomPurge {
        let next = RoomPurge.Step(rawValue: purge.step.rawValue + 1) ?? .rest
        return try move(purge, to: isUnfinished ? purge.step : next, place: 0, removed: purge.removed)
    }

    private func move(_ purge: RoomPurge, to step: RoomPurge.Step, place: Int64, removed: Int64) throws -> RoomPurge {
        try sql.execute(
            "UPDATE room_purges SET step = $2, place = $3, removed = $4 WHERE room_num = $1", purge.number,
            step.rawValue, place, removed)
        return RoomPurge(
            number: purge.number, id: purge.id, step: step, place: place, firstPosition: purge.firstPosition,
            events: purge.events, removed: removed)
    }

    // MARK: What is removed. Those that return whether there may be more are to be asked again.

    private func removeDeliveries(of room: RoomNumber) throws -> Bool {
        // Few wait, each for a while only.
        try sql.execute("DELETE FROM app_service_queue WHERE room_num = $1", room)
        try sql.execute(
            """
            DELETE FROM pending_pushes WHERE EXISTS (
                SELECT 1 FROM events WHERE events.num = pending_pushes.event_num AND events.room_num = $1)
            """, room)
        return try sql.executeCounting(
            "DELETE FROM inbox WHERE num IN (SELECT num FROM inbox WHERE room_num = $1 ORDER BY num LIMIT $2)", room,
            Self.eventsAtOnce) > 0
    }

    private func removeEvents(of room: RoomNumber) throws -> Int {
        let events = try sql.all(
            "SELECT num, event_id FROM events WHERE room_num = $1 LIMIT $2", room, Self.eventsAtOnce
        ) { (number: try $0.number(0, as: EventNumber.self), id: try $0.identifier(1, as: EventID.self)) }
        guard !events.isEmpty else { return 0 }
        let numbers = events.map(\.number)
        let list = numbers.sqlList
        try writer.search.removeWords(of: numbers)
        try sql.execute("DELETE FROM sticky_events WHERE event_num IN list($1)", list)
        try sql.execute("DELETE FROM relayed_events WHERE event_num IN list($1)", list)
        try sql.execute("DELETE FROM pending_redactions WHERE redaction_num IN list($1)", list)
        // Relations, what expires and what is searched for go with them.
        try sql.execute("DELETE FROM events WHERE num IN list($1)", list)
        let cache = writer.store.eventCache
        sql.onCommit { for event in events { cache.forget(event.number, event.id) } }
        return events.count
    }

    private func removeStates(of room: RoomNumber) throws -> Bool {
        // Parents are older than those that continue them.
        let states = try sql.all(
            "SELECT num FROM states WHERE room_num = $1 ORDER BY num DESC LIMIT $2", room, Self.eventsAtOnce
        ) { try $0.number(0, as: StateNumber.self) }
        var budget = Self.entriesAtOnce
        for state in states where budget > 0 {
            let removed = try sql.executeCounting(
                """
                DELETE FROM state_entries WHERE state = $1 AND state_key_num IN (
                    SELECT state_key_num FROM state_entries WHERE state = $1 ORDER BY state_key_num LIMIT $2)
                """, state, budget)
            budget -= removed
            guard budget > 0 else { break }
            try sql.execute("DELETE FROM states WHERE num = $1", state)
        }
        return !states.isEmpty
    }

    private func removeAnnouncements(_ purge: RoomPurge) throws -> RoomPurge {
        let after = max(purge.place, purge.firstPosition.rawValue)
        let end = try sql.first("SELECT value FROM counters WHERE name = 'journal'") { try $0.int(0) } ?? 0
        let through = min(end, after + Self.positionsAtOnce)
        try writer.journal.withdraw(
            purge.number, after: StreamPosition(after), through: StreamPosition(through))
        return try move(
            purge, to: through >= end ? .people : .journal, place: through >= end ? 0 : through,
            removed: purge.removed)
    }

    private func removePeople(of room: RoomNumber) throws -> Bool {
        var budget = Self.rowsAtOnce
        for table in Self.byUser where budget > 0 {
            budget -= try sql.executeCounting(
                SQL(
                    """
                    DELETE FROM \(table) WHERE room_num = $1 AND user_num IN (
                        SELECT user_num FROM \(table) WHERE room_num = $1 ORDER BY user_num LIMIT $2)
                    """), room, budget)
        }
        budget -= try sql.executeCounting(
            """
            DELETE FROM threads WHERE room_num = $1 AND root_id IN (
                SELECT root_id FROM threads WHERE room_num = $1 ORDER BY root_id LIMIT $2)
            """, room, max(budget, 0))
        budget -= try sql.executeCounting(
            """
            DELETE FROM backward_extremities WHERE room_num = $1 AND event_id IN (
                SELECT event_id FROM backward_extremities WHERE room_num = $1 ORDER BY event_id LIMIT $2)
            """, room, max(budget, 0))
        return budget < Self.rowsAtOnce
    }

    private func removeKeys(_ purge: RoomPurge) throws -> RoomPurge {
        let backups = try sql.all(
            """
            SELECT user_num, version FROM key_backups WHERE user_num > $1 AND deleted = 0
            ORDER BY user_num, version LIMIT $2
            """, purge.place, Self.backupsAtOnce
        ) { (user: try $0.number(0, as: UserNumber.self), version: KeyBackupVersion(rawValue: try $0.int(1))) }
        let isLast = backups.count < Self.backupsAtOnce
        // Of the last user there may be more.
        let whole = isLast ? backups : backups.filter { $0.user != backups.last?.user }
        for backup in whole.isEmpty ? backups : whole {
            let removed = try writer.keyBackupSessions.delete(
                .room(purge.id.string), in: backup.version, of: backup.user)
            guard removed > 0 else { continue }
            try writer.keyBackups.touch(backup.version, of: backup.user, countChange: -removed)
        }
        let place = (whole.last ?? backups.last)?.user.rawValue ?? 0
        return try move(purge, to: isLast ? .rest : .keys, place: isLast ? 0 : place, removed: purge.removed)
    }

    /// What somebody who had the number in hand has stored meanwhile goes too.
    private func removeRest(of purge: RoomPurge) throws {
        let room = purge.number
        while try removePeople(of: room) {}
        while try removeDeliveries(of: room) {}
        while try removeEvents(of: room) > 0 {}
        while try removeStates(of: room) {}
        for table in Self.small + ["sticky_events", "relations"] {
            try sql.execute(SQL("DELETE FROM \(table) WHERE room_num = $1"), room)
        }
        let end = try sql.first("SELECT value FROM counters WHERE name = 'journal'") { try $0.int(0) } ?? 0
        try writer.journal.withdraw(
            room, after: StreamPosition(max(0, end - Self.positionsAtOnce)), through: StreamPosition(end))
        try sql.execute("DELETE FROM rooms WHERE num = $1", room)
        try sql.execute("DELETE FROM room_purges WHERE room_num = $1", room)
        let store = writer.store
        sql.onCommit { store.identifiers.forget(purge.id, room) }
        writer.announce(.room(room))
    }
}

extension StoreReader {
    /// Rooms that are being removed.
    public var roomPurges: RoomPurgeReader { RoomPurgeReader(sql: sql) }
}

extension StoreWriter {
    /// Removes rooms.
    public var roomPurges: RoomPurgeWriter { RoomPurgeWriter(writer: self) }
}
