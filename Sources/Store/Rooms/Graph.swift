import Database
import Matrix

/// Look-ups of where a room's graph is not complete.
public struct GraphReader {
    let sql: ReadTransaction

    /// Events that others name as the ones before them and that this server does not have, `limit` of them at the most.
    public func backwardExtremities(of room: RoomNumber, limit: Int = 100) throws -> [EventID] {
        try sql.all(
            "SELECT event_id FROM backward_extremities WHERE room_num = $1 ORDER BY event_id LIMIT $2", room, limit
        ) { try $0.identifier(0) }
    }

    /// Whether an event that this server does not have is one that others name as the one before them.
    public func isBackwardExtremity(_ event: EventID, of room: RoomNumber) throws -> Bool {
        try sql.first("SELECT 1 FROM backward_extremities WHERE room_num = $1 AND event_id = $2", room, event) {
            try $0.int(0)
        } != nil
    }

    /// Redactions of an event that came before it.
    public func pendingRedactions(of target: EventID) throws -> [EventNumber] {
        try sql.all("SELECT redaction_num FROM pending_redactions WHERE target_id = $1 ORDER BY redaction_num", target)
        {
            try $0.number(0)
        }
    }

    /// What an invitation or a knock told a user of a room that this server is not in: a JSON array; `nil` if nothing is kept.
    public func strippedState(of room: RoomNumber, for user: UserNumber) throws -> [UInt8]? {
        try sql.first("SELECT json FROM stripped_states WHERE room_num = $1 AND user_num = $2", room, user) {
            try $0.blob(0)
        }
    }

    /// The rooms whose memberships are not all known yet.
    public func partialJoins() throws -> [PartialJoin] { try sql.all(Self.partialJoins, map: Self.decode) }

    /// Whether the memberships of a room are not all known yet, and who knows them.
    public func partialJoin(_ room: RoomNumber) throws -> PartialJoin? {
        try sql.first(
            "SELECT room_num, event_num, via, servers FROM partial_joins WHERE room_num = $1", room, map: Self.decode
        )
    }

    private static let partialJoins = SQL(
        "SELECT room_num, event_num, via, servers FROM partial_joins ORDER BY room_num")

    private static func decode(_ row: Row) throws -> PartialJoin {
        PartialJoin(
            room: try row.number(0), event: try row.number(1), via: try row.identifier(2),
            servers: try row.text(3).split(separator: " ").compactMap { ServerName(String($0)) }
        )
    }
}

/// A room that was joined before all of its memberships were known.
public struct PartialJoin: Sendable {
    /// The room.
    public let room: RoomNumber
    /// The event with which this server came in.
    public let event: EventNumber
    /// The server through which it came in.
    public let via: ServerName
    /// The servers that were in the room then, as that server said.
    public let servers: [ServerName]

    /// A room that was joined so.
    public init(room: RoomNumber, event: EventNumber, via: ServerName, servers: [ServerName]) {
        self.room = room
        self.event = event
        self.via = via
        self.servers = servers
    }
}

/// Stores where a room's graph is not complete.
public struct GraphWriter {
    let writer: StoreWriter

    /// Notes events that others name and that this server does not have.
    public func addBackwardExtremities(_ events: some Sequence<EventID>, of room: RoomNumber) throws {
        for event in events {
            try writer.sql.execute(
                """
                INSERT INTO backward_extremities (room_num, event_id) VALUES ($1, $2)
                ON CONFLICT (room_num, event_id) DO NOTHING
                """, room, event
            )
        }
    }

    /// Takes note that an event has arrived.
    public func removeBackwardExtremity(_ event: EventID, of room: RoomNumber) throws {
        try writer.sql.execute("DELETE FROM backward_extremities WHERE room_num = $1 AND event_id = $2", room, event)
    }

    /// Keeps in mind that an event is to be redacted when it arrives.
    public func addPendingRedaction(of target: EventID, by redaction: EventNumber) throws {
        try writer.sql.execute(
            """
            INSERT INTO pending_redactions (target_id, redaction_num) VALUES ($1, $2)
            ON CONFLICT (target_id, redaction_num) DO NOTHING
            """, target, redaction
        )
    }

    /// Forgets the redactions that waited for an event.
    public func removePendingRedactions(of target: EventID) throws {
        try writer.sql.execute("DELETE FROM pending_redactions WHERE target_id = $1", target)
    }

    /// Keeps what an invitation or a knock told a user of a room; `json` is a JSON array.
    public func setStrippedState(_ json: [UInt8], of room: RoomNumber, for user: UserNumber) throws {
        try writer.sql.execute(
            """
            INSERT INTO stripped_states (room_num, user_num, json) VALUES ($1, $2, $3)
            ON CONFLICT (room_num, user_num) DO UPDATE SET json = excluded.json
            """, room, user, json
        )
    }

    /// Forgets what users were told of a room before this server was in it.
    public func removeStrippedStates(of room: RoomNumber) throws {
        try writer.sql.execute("DELETE FROM stripped_states WHERE room_num = $1", room)
    }

    /// Notes that the memberships of a room are not all known yet.
    public func setPartial(_ join: PartialJoin) throws {
        try writer.sql.execute(
            """
            INSERT INTO partial_joins (room_num, event_num, via, servers) VALUES ($1, $2, $3, $4)
            ON CONFLICT (room_num) DO UPDATE SET event_num = excluded.event_num, via = excluded.via, servers = excluded.servers
            """, join.room, join.event, join.via, join.servers.map(\.string).joined(separator: " ")
        )
        let store = writer.store
        writer.sql.onCommit { store.partial.withLock { $0[join.room] = join } }
        writer.announce(.room(join.room))
    }

    /// Notes that the memberships of a room are all known.
    public func setComplete(_ room: RoomNumber) throws {
        try writer.sql.execute("DELETE FROM partial_joins WHERE room_num = $1", room)
        let store = writer.store
        writer.sql.onCommit { store.partial.withLock { $0[room] = nil } }
        writer.announce(.room(room))
    }
}

extension Store {
    /// The rooms whose memberships are not all known yet.
    public var partialRooms: [RoomNumber] { partial.withLock { Array($0.keys) } }

    /// Whether the memberships of a room are not all known yet, and who knows them.
    public func partialJoin(of room: RoomNumber) -> PartialJoin? { partial.withLock { $0[room] } }
}

extension StoreReader {
    /// Where graphs are not complete.
    public var graph: GraphReader { GraphReader(sql: sql) }
}

extension StoreWriter {
    /// Where graphs are not complete.
    public var graph: GraphWriter { GraphWriter(writer: self) }
}
