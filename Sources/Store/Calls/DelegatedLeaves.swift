import Database

/// A delayed event that waits for as long as somebody is in a call.
public struct DelegatedLeave: Sendable, Hashable {
    /// What the conference service calls the room.
    public let room: String
    /// What it calls who is in it.
    public let identity: String
    /// The delayed event.
    public let delay: String
    /// Whether they have been seen there.
    public let isConnected: Bool

    /// A delegated leave.
    public init(room: String, identity: String, delay: String, isConnected: Bool) {
        self.room = room
        self.identity = identity
        self.delay = delay
        self.isConnected = isConnected
    }
}

/// Look-ups of delayed events that wait for as long as somebody is in a call.
public struct DelegatedLeaveReader {
    let sql: ReadTransaction

    /// That of somebody in a room of the conference service.
    public func leave(of identity: String, in room: String) throws -> DelegatedLeave? {
        try sql.first(
            """
            SELECT sfu_room, identity, delay_id, connected FROM delegated_leaves WHERE sfu_room = $1 AND identity = $2
            """, room, identity, map: Self.decode)
    }

    /// Those that are to be looked after at `now`, the longest overdue first.
    public func due(at now: Int64, limit: Int) throws -> [DelegatedLeave] {
        try sql.all(
            """
            SELECT sfu_room, identity, delay_id, connected FROM delegated_leaves WHERE look_ts <= $1
            ORDER BY look_ts, delay_id LIMIT $2
            """, now, limit, map: Self.decode)
    }

    /// Those of people who have been seen, by their delayed event's name.
    public func connected(after delay: String, limit: Int) throws -> [DelegatedLeave] {
        try sql.all(
            """
            SELECT sfu_room, identity, delay_id, connected FROM delegated_leaves WHERE connected = 1 AND delay_id > $1
            ORDER BY delay_id LIMIT $2
            """, delay, limit, map: Self.decode)
    }

    /// When the next is to be looked after, in milliseconds since 1970.
    public func next() throws -> Int64? {
        try sql.first("SELECT look_ts FROM delegated_leaves ORDER BY look_ts LIMIT 1") { try $0.int(0) }
    }

    private static func decode(_ row: Row) throws -> DelegatedLeave {
        DelegatedLeave(
            room: try row.text(0), identity: try row.text(1), delay: try row.text(2),
            isConnected: try row.int(3) != 0)
    }
}

/// Stores delayed events that wait for as long as somebody is in a call. They go with the delayed event.
public struct DelegatedLeaveWriter {
    let writer: StoreWriter

    /// Stores one, in place of any other of the same person in the same room.
    public func set(_ leave: DelegatedLeave, lookAt time: Int64) throws {
        try writer.sql.execute(
            "DELETE FROM delegated_leaves WHERE delay_id = $1 OR (sfu_room = $2 AND identity = $3)", leave.delay,
            leave.room, leave.identity)
        try writer.sql.execute(
            """
            INSERT INTO delegated_leaves (sfu_room, identity, delay_id, connected, look_ts) VALUES ($1, $2, $3, $4, $5)
            """, leave.room, leave.identity, leave.delay, leave.isConnected ? 1 : 0, time)
    }

    /// Notes whether they are there, and when to look again.
    public func update(_ delay: String, isConnected: Bool, lookAt time: Int64) throws {
        try writer.sql.execute(
            "UPDATE delegated_leaves SET connected = $2, look_ts = $3 WHERE delay_id = $1", delay, isConnected ? 1 : 0,
            time)
    }

    /// Forgets one.
    public func delete(_ delay: String) throws {
        try writer.sql.execute("DELETE FROM delegated_leaves WHERE delay_id = $1", delay)
    }
}

extension StoreReader {
    /// Delayed events that wait for as long as somebody is in a call.
    public var delegatedLeaves: DelegatedLeaveReader { DelegatedLeaveReader(sql: sql) }
}

extension StoreWriter {
    /// Delayed events that wait for as long as somebody is in a call.
    public var delegatedLeaves: DelegatedLeaveWriter { DelegatedLeaveWriter(writer: self) }
}
