import Database
import Matrix

/// An event that is to be sent later.
public struct DelayedEvent: Sendable {
    /// Its name: whoever knows it may have it sent or drop it.
    public let id: String
    /// Who sends it.
    public let user: UserNumber
    /// From which device.
    public let device: DeviceID?
    /// To which room.
    public let room: RoomNumber
    /// Its type.
    public let type: EventType
    /// Its state key; `nil` for a message.
    public let stateKey: String?
    /// Under which name the client asked for it.
    public let transaction: String?
    /// Its content: the text of a JSON object.
    public let content: [UInt8]
    /// For how long it waits, in milliseconds.
    public let delay: Int64
    /// For how long it sticks once it is sent, in milliseconds, if it does.
    public let stickyMilliseconds: Int64?
    /// Since when it waits, in milliseconds since 1970.
    public let runningSince: Int64
    /// The journal's end when it was asked for.
    public let position: StreamPosition

    /// An event.
    public init(
        id: String, user: UserNumber, device: DeviceID?, room: RoomNumber, type: EventType, stateKey: String?,
        transaction: String?, content: [UInt8], delay: Int64, stickyMilliseconds: Int64? = nil, runningSince: Int64,
        position: StreamPosition
    ) {
        self.id = id
        self.user = user
        self.device = device
        self.room = room
        self.type = type
        self.stateKey = stateKey
        self.transaction = transaction
        self.content = content
        self.delay = delay
        self.stickyMilliseconds = stickyMilliseconds
        self.runningSince = runningSince
        self.position = position
    }
}

/// Look-ups of delayed events.
public struct DelayedEventReader {
    let sql: ReadTransaction

    /// The event of that name.
    public func event(_ id: String) throws -> DelayedEvent? {
        try sql.first(
            """
            SELECT delay_id, user_num, device_id, room_num, type, state_key, txn, content, delay_ms, running_since_ts, position,
                sticky_ms
            FROM delayed_events WHERE delay_id = $1
            """, id, map: Self.decode)
    }

    /// A user's, those first that wait the longest.
    public func events(of user: UserNumber, limit: Int) throws -> [DelayedEvent] {
        try sql.all(
            """
            SELECT delay_id, user_num, device_id, room_num, type, state_key, txn, content, delay_ms, running_since_ts, position,
                sticky_ms
            FROM delayed_events WHERE user_num = $1
            ORDER BY running_since_ts, delay_id LIMIT $2
            """, user, limit, map: Self.decode)
    }

    /// Those whose time has come, those first that are due the longest.
    public func due(at now: Int64, limit: Int) throws -> [DelayedEvent] {
        try sql.all(
            """
            SELECT delay_id, user_num, device_id, room_num, type, state_key, txn, content, delay_ms, running_since_ts, position,
                sticky_ms
            FROM delayed_events WHERE send_ts <= $1
            ORDER BY send_ts, delay_id LIMIT $2
            """, now, limit, map: Self.decode)
    }

    /// When the next one is due, in milliseconds since 1970; `nil` if there is none.
    public func next() throws -> Int64? {
        try sql.first("SELECT send_ts FROM delayed_events ORDER BY send_ts LIMIT 1") { try $0.int(0) }
    }

    private static func decode(_ row: Row) throws -> DelayedEvent {
        DelayedEvent(
            id: try row.text(0), user: try row.number(1),
            device: try row.textOrNil(2).flatMap { DeviceID($0) }, room: try row.number(3),
            type: EventType(try row.text(4)), stateKey: try row.textOrNil(5), transaction: try row.textOrNil(6),
            content: Array(try row.text(7).utf8), delay: try row.int(8),
            stickyMilliseconds: try row.intOrNil(11), runningSince: try row.int(9),
            position: StreamPosition(try row.int(10)))
    }
}

/// Stores delayed events.
public struct DelayedEventWriter {
    let writer: StoreWriter

    /// Stores one.
    public func insert(_ event: DelayedEvent) throws {
        try writer.sql.execute(
            """
            INSERT INTO delayed_events (delay_id, user_num, device_id, room_num, type, state_key, txn, content, delay_ms,
                running_since_ts, send_ts, position, sticky_ms)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """, event.id, event.user, event.device?.string, event.room, event.type.string, event.stateKey,
            event.transaction, String(decoding: event.content, as: UTF8.self), event.delay, event.runningSince,
            event.runningSince + event.delay, event.position.rawValue, event.stickyMilliseconds)
    }

    /// Lets one wait from the beginning again.
    ///
    /// - Returns: Whether there is one of that name.
    public func restart(_ id: String, at now: Int64) throws -> Bool {
        try writer.sql.executeCounting(
            "UPDATE delayed_events SET running_since_ts = $2, send_ts = $2 + delay_ms WHERE delay_id = $1", id, now)
            == 1
    }

    /// Drops one.
    ///
    /// - Returns: Whether there was one of that name.
    public func delete(_ id: String) throws -> Bool {
        try writer.sql.executeCounting("DELETE FROM delayed_events WHERE delay_id = $1", id) == 1
    }
}

extension StoreReader {
    /// Delayed events.
    public var delayedEvents: DelayedEventReader { DelayedEventReader(sql: sql) }
}

extension StoreWriter {
    /// Delayed events.
    public var delayedEvents: DelayedEventWriter { DelayedEventWriter(writer: self) }
}
