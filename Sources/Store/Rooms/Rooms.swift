import Database
import Matrix

/// What the store knows of a room apart from its events.
public struct RoomRecord: Sendable {
    /// Its number.
    public let number: RoomNumber
    /// Its identifier.
    public let id: RoomID
    /// Its version.
    public let version: RoomVersion
    /// How often its extremities and state have changed.
    public let head: Int64
    /// Its current state.
    public let state: StateNumber?
    /// The last position at which it changed.
    public let position: StreamPosition
    /// Whether it is listed in the room directory.
    public let isPublished: Bool
    /// Whether an administrator closed it.
    public let isBlocked: Bool
}

/// Look-ups of rooms.
public struct RoomReader {
    let sql: ReadTransaction

    /// The room of that number, or `nil`.
    public func room(_ number: RoomNumber) throws -> RoomRecord? {
        try sql.first(
            "SELECT num, room_id, version, head, state, position, published, blocked FROM rooms WHERE num = $1", number,
            map: decode
        )
    }

    /// Those of the rooms that exist, in no particular order.
    public func rooms(_ numbers: [RoomNumber]) throws -> [RoomRecord] {
        try sql.all(
            """
            SELECT num, room_id, version, head, state, position, published, blocked FROM rooms WHERE num IN list($1)
            """, numbers.sqlList, map: decode
        )
    }

    /// The last position at which each of the rooms changed.
    public func positions(of rooms: [RoomNumber]) throws -> [RoomNumber: StreamPosition] {
        var positions: [RoomNumber: StreamPosition] = [:]
        positions.reserveCapacity(rooms.count)
        try sql.forEach("SELECT num, position FROM rooms WHERE num IN list($1)", rooms.sqlList) { row in
            positions[try row.number(0)] = try row.number(1, as: StreamPosition.self)
        }
        return positions
    }

    /// Rooms in the order in which this server came to know them.
    public func rooms(after: RoomNumber?, limit: Int) throws -> [RoomNumber] {
        try sql.all(
            "SELECT num FROM rooms WHERE num > $1 AND head >= 0 ORDER BY num LIMIT $2", after ?? RoomNumber(0), limit
        ) { try $0.number(0) }
    }

    /// The rooms of the directory.
    public func published() throws -> [RoomNumber] {
        try sql.all("SELECT num FROM rooms WHERE published = 1 ORDER BY num") { try $0.number(0) }
    }

    /// The last position at which a room changed, or `nil` if there is no such room.
    public func position(of room: RoomNumber) throws -> StreamPosition? {
        try sql.first("SELECT position FROM rooms WHERE num = $1", room) { try $0.number(0) }
    }

    /// Of `rooms`, those in which something has happened after `position`.
    public func changed(_ rooms: [RoomNumber], after position: StreamPosition) throws -> [RoomNumber] {
        try sql.all("SELECT num FROM rooms WHERE position > $1 AND num IN list($2)", position, rooms.sqlList) {
            try $0.number(0)
        }
    }

    /// The events that nothing builds on yet.
    public func forwardExtremities(_ room: RoomNumber) throws -> [EventNumber] {
        try sql.all("SELECT event_num FROM forward_extremities WHERE room_num = $1 ORDER BY event_num", room) {
            try $0.number(0)
        }
    }

    private func decode(_ row: Row) throws -> RoomRecord {
        guard let version = RoomVersion(id: try row.text(2)) else {
            throw StoreError.inconsistent("room \(try row.int(0)) has an unknown version")
        }
        return RoomRecord(
            number: try row.number(0), id: try row.identifier(1), version: version, head: try row.int(3),
            state: try row.numberOrNil(4), position: try row.number(5), isPublished: try row.bool(6),
            isBlocked: try row.bool(7)
        )
    }
}

/// Stores rooms.
public struct RoomWriter {
    let writer: StoreWriter

    /// Stores a new room under a number that nobody else has. Of a room that is known by an invitation, the version is replaced: who
    /// invites may have been wrong.
    ///
    /// - Throws: ``StoreError/roomIsGoing`` while a room of that name is being removed.
    public func insert(_ number: RoomNumber, _ room: RoomID, version: RoomVersion) throws {
        guard try writer.read.roomPurges.purge(of: room) == nil else { throw StoreError.roomIsGoing }
        try writer.sql.execute(
            """
            INSERT INTO rooms (num, room_id, version, blocked)
            VALUES ($1, $2, $3, (SELECT COUNT(*) FROM blocked_rooms WHERE room_id = $2))
            ON CONFLICT (num) DO UPDATE SET version = excluded.version
            """, number, room, version.id
        )
        let cache = writer.store.identifiers
        writer.sql.onCommit { cache.remember(room, number) }
    }

    /// Moves a room's head on.
    ///
    /// - Throws: ``StoreError/headMoved`` if the head is no longer `head`: what was decided on it must be decided again.
    public func advance(_ room: RoomNumber, from head: Int64, state: StateNumber?, position: StreamPosition) throws {
        let changed = try writer.sql.executeCounting(
            "UPDATE rooms SET head = head + 1, state = $1, position = $2 WHERE num = $3 AND head = $4", state, position,
            room,
            head
        )
        if changed != 1 { throw StoreError.headMoved }
    }

    /// Replaces the events that nothing builds on.
    public func setForwardExtremities(_ room: RoomNumber, removing old: [EventNumber], adding new: [EventNumber]) throws
    {
        // Mostly one follows another.
        for (old, new) in zip(old, new) {
            try writer.sql.execute(
                "UPDATE forward_extremities SET event_num = $3 WHERE room_num = $1 AND event_num = $2", room, old, new
            )
        }
        let rest = old.dropFirst(new.count)
        if !rest.isEmpty {
            try writer.sql.execute(
                "DELETE FROM forward_extremities WHERE room_num = $1 AND event_num IN list($2)", room, rest.sqlList
            )
        }
        for event in new.dropFirst(old.count) {
            try writer.sql.execute(
                "INSERT INTO forward_extremities (room_num, event_num) VALUES ($1, $2)", room, event
            )
        }
    }

    /// Lists a room in the directory, or no longer.
    public func setPublished(_ room: RoomNumber, _ published: Bool) throws {
        try writer.sql.execute("UPDATE rooms SET published = $1 WHERE num = $2", published, room)
    }
}

extension RoomReader {
    /// Who closed a room, known here or not: a user ID, or how else they came; `nil` if nobody has.
    public func blocker(of room: RoomID) throws -> String? {
        try sql.first("SELECT blocked_by FROM blocked_rooms WHERE room_id = $1", room) { try $0.text(0) }
    }

    /// How many devices those who are joined to a room have here.
    public func joinedDevices(in room: RoomNumber) throws -> Int64 {
        try sql.first(
            """
            SELECT COUNT(*) FROM memberships JOIN devices ON devices.user_num = memberships.user_num
            WHERE memberships.room_num = $1 AND memberships.membership = 1
            """, room
        ) { try $0.int(0) } ?? 0
    }

    /// Whether a user of a server has something to do with a room and has not forgotten it.
    public func isRemembered(_ room: RoomNumber, by server: ServerName) throws -> Bool {
        try sql.first(
            """
            SELECT 1 FROM memberships JOIN users ON users.num = memberships.user_num
            WHERE memberships.room_num = $1 AND memberships.forgotten = 0 AND users.server = $2 LIMIT 1
            """, room, server
        ) { try $0.int(0) } != nil
    }
}

extension RoomWriter {
    /// Closes a room, known here or not, or opens it again. What was decided on the room as it was before must be decided again.
    ///
    /// - Parameters:
    ///   - room: The room.
    ///   - blocker: Who closes it; `nil` to open it.
    ///   - now: The time, in milliseconds since 1970.
    public func setBlocked(_ room: RoomID, by blocker: String?, now: Int64) throws {
        if let blocker {
            try writer.sql.execute(
                """
                INSERT INTO blocked_rooms (room_id, blocked_by, blocked_ts) VALUES ($1, $2, $3)
                ON CONFLICT (room_id) DO NOTHING
                """, room, blocker, now)
        } else {
            try writer.sql.execute("DELETE FROM blocked_rooms WHERE room_id = $1", room)
        }
        // A room known by an invitation only has no head yet.
        try writer.sql.execute(
            "UPDATE rooms SET blocked = $2, head = head + CASE WHEN head > 0 THEN 1 ELSE 0 END WHERE room_id = $1",
            room,
            blocker != nil)
    }
}

extension StoreReader {
    /// Rooms.
    public var rooms: RoomReader { RoomReader(sql: sql) }
}

extension StoreWriter {
    /// Rooms.
    public var rooms: RoomWriter { RoomWriter(writer: self) }
}
