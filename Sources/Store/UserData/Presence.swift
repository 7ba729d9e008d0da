import Database
import Matrix

/// Whether a user is there, as the database has it. Never renumber.
public enum PresenceState: Int64, Sendable {
    case offline = 0
    case online = 1
    case unavailable = 2

    /// The state of that name in the client-server API, or `nil`.
    public init?(name: String) {
        switch name {
        case "offline": self = .offline
        case "online": self = .online
        case "unavailable": self = .unavailable
        default: return nil
        }
    }

    /// Its name in the client-server API.
    public var name: String {
        switch self {
        case .offline: "offline"
        case .online: "online"
        case .unavailable: "unavailable"
        }
    }
}

/// A user's presence.
public struct PresenceRecord: Sendable, Equatable {
    /// Whose.
    public var user: UserNumber
    /// Whether they are there.
    public var state: PresenceState
    /// What they say about it.
    public var statusMessage: String?
    /// When they last did something, in milliseconds since 1970.
    public var lastActive: Int64
    /// Whether they are doing something right now.
    public var isCurrentlyActive: Bool

    /// A presence.
    public init(
        user: UserNumber, state: PresenceState, statusMessage: String?, lastActive: Int64, isCurrentlyActive: Bool
    ) {
        self.user = user
        self.state = state
        self.statusMessage = statusMessage
        self.lastActive = lastActive
        self.isCurrentlyActive = isCurrentlyActive
    }
}

/// Look-ups of presence.
public struct PresenceReader {
    let sql: ReadTransaction

    private static let columns = "user_num, state, status_msg, last_active_ts, currently_active"
    private static let one = SQL("SELECT \(columns) FROM presence WHERE user_num = $1")
    private static let some = SQL("SELECT \(columns) FROM presence WHERE user_num IN list($1)")
    private static let changes = SQL(
        "SELECT \(columns) FROM presence WHERE position > $1 AND position <= $2 AND user_num IN list($3) ORDER BY position"
    )
    private static let inRoom = SQL(
        """
        SELECT p.user_num FROM memberships AS m JOIN users AS u ON u.num = m.user_num AND u.server = $2
        JOIN presence AS p ON p.user_num = m.user_num AND p.state <> 0
        WHERE m.room_num = $1 AND m.membership = 1 ORDER BY p.position DESC LIMIT $3
        """)
    private static let present = SQL(
        "SELECT \(columns) FROM presence WHERE state <> 0 AND user_num > $1 ORDER BY user_num LIMIT $2")

    /// The last presence of a user that was stored, or `nil` if they never had one.
    public func presence(of user: UserNumber) throws -> PresenceRecord? { try sql.first(Self.one, user, map: decode) }

    /// The last presence of each of some users who ever had one.
    public func presence(of users: [UserNumber]) throws -> [PresenceRecord] {
        try sql.all(Self.some, users.sqlList, map: decode)
    }

    /// Of `users`, those whose presence changed in a stretch of the journal.
    public func changed(
        among users: [UserNumber], after: StreamPosition, through: StreamPosition
    ) throws -> [PresenceRecord] {
        try sql.all(Self.changes, after, through, users.sqlList, map: decode)
    }

    /// Everyone who is not offline.
    public func present() throws -> [UserNumber] {
        try sql.all("SELECT user_num FROM presence WHERE state <> $1", PresenceState.offline.rawValue) {
            try $0.number(0)
        }
    }

    /// Everyone whose presence changed in a stretch of the journal.
    public func changed(after: StreamPosition, through: StreamPosition) throws -> [UserNumber] {
        try sql.all("SELECT user_num FROM presence WHERE position > $1 AND position <= $2", after, through) {
            try $0.number(0)
        }
    }

    /// Users of a server who are joined to a room and not offline, those first whose presence changed last.
    public func notOffline(in room: RoomNumber, of server: ServerName, limit: Int) throws -> [UserNumber] {
        try sql.all(Self.inRoom, room, server, limit) { try $0.number(0) }
    }

    /// Users who were last seen not offline, by number: what a server that was stopped has to put right.
    public func notOffline(after user: UserNumber, limit: Int) throws -> [PresenceRecord] {
        try sql.all(Self.present, user, limit, map: decode)
    }

    private func decode(_ row: Row) throws -> PresenceRecord {
        guard let state = PresenceState(rawValue: try row.int(1)) else {
            throw StoreError.inconsistent("unknown presence \(try row.int(1))")
        }
        return PresenceRecord(
            user: try row.number(0), state: state, statusMessage: try row.textOrNil(2), lastActive: try row.int(3),
            isCurrentlyActive: try row.bool(4))
    }
}

/// Stores presence.
public struct PresenceWriter {
    let writer: StoreWriter

    /// Stores a user's presence and announces it.
    @discardableResult
    public func set(_ presence: PresenceRecord) throws -> StreamPosition {
        let position = try writer.journal.append(.presence(presence.user))
        try writer.sql.execute(
            """
            INSERT INTO presence (user_num, state, status_msg, last_active_ts, currently_active, position)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (user_num) DO UPDATE SET state = excluded.state, status_msg = excluded.status_msg,
                last_active_ts = excluded.last_active_ts, currently_active = excluded.currently_active,
                position = excluded.position
            """, presence.user, presence.state.rawValue, presence.statusMessage, presence.lastActive,
            presence.isCurrentlyActive, position)
        return position
    }
}

extension StoreReader {
    /// Presence.
    public var presence: PresenceReader { PresenceReader(sql: sql) }
}

extension StoreWriter {
    /// Presence.
    public var presence: PresenceWriter { PresenceWriter(writer: self) }
}
