import Database
import Matrix
import Synchronization

/// For how long a room wants its messages to be kept: its `m.room.retention`.
///
/// [MSC1763](https://github.com/matrix-org/matrix-spec-proposals/pull/1763)
public struct RoomRetention: Sendable, Hashable {
    /// At least so long, in milliseconds.
    public let minimum: Int64?
    /// At most so long, in milliseconds.
    public let maximum: Int64?

    /// A wish.
    public init(minimum: Int64?, maximum: Int64?) {
        self.minimum = minimum
        self.maximum = maximum
    }

    /// What an event's content says; `nil` if that is nothing, or makes no sense.
    public init?(_ content: JSON) {
        func lifetime(_ name: String) -> Int64?? {
            guard let value = content[name], !value.isNull else { return .some(nil) }
            guard let milliseconds = value.int, milliseconds >= 0 else { return nil }
            return milliseconds
        }
        guard let minimum = lifetime("min_lifetime"), let maximum = lifetime("max_lifetime"),
            minimum != nil || maximum != nil, minimum ?? 0 <= maximum ?? .max
        else { return nil }
        self.init(minimum: minimum, maximum: maximum)
    }
}

/// What this server makes of what rooms want.
public struct RetentionPolicy: Sendable, Hashable {
    /// Where rooms say nothing, messages are kept for so long, in milliseconds; `nil`: forever.
    public var standard: Int64?
    /// No room's messages go before that, in milliseconds.
    public var shortest: Int64
    /// All rooms' messages go after that, in milliseconds; `nil`: there is no such limit.
    public var longest: Int64?

    /// A policy.
    public init(standard: Int64?, shortest: Int64 = 0, longest: Int64? = nil) {
        self.standard = standard
        self.shortest = shortest
        self.longest = longest
    }

    /// For how long a room's messages are kept, in milliseconds; `nil`: forever.
    public func lifetime(_ room: RoomRetention?) -> Int64? {
        var lifetime = room?.maximum ?? standard.map { max($0, room?.minimum ?? 0) }
        if let longest { lifetime = min(lifetime ?? longest, longest) }
        return lifetime.map { max($0, shortest) }
    }
}

/// Knows, without asking the database, which events have outlived their time, and which still stick.
public final class EventLifetimes: Sendable {
    private struct State {
        var now: @Sendable () -> Int64 = { 0 }
        var policy: RetentionPolicy?
        var rooms: [RoomNumber: RoomRetention] = [:]
    }

    private let state = Mutex(State())

    /// Gives it the time, in milliseconds since 1970. Until then nothing has outlived its time.
    public func follow(_ now: @escaping @Sendable () -> Int64) { state.withLock { $0.now = now } }

    /// From now on messages do not outlive what the policy gives them.
    public func enforce(_ policy: RetentionPolicy) { state.withLock { $0.policy = policy } }

    /// The time, in milliseconds since 1970.
    public var now: Int64 { state.withLock { $0.now }() }

    /// The time before which what was said in a room has outlived its own; `nil` where everything is kept.
    public func horizon(of room: RoomNumber) -> Int64? {
        let (now, policy, wish) = state.withLock { ($0.now, $0.policy, $0.rooms[room]) }
        return policy?.lifetime(wish).map { now() - $0 }
    }

    /// Whether an event is not to be told any more. State stays.
    public func hasEnded(_ event: StoredEvent) -> Bool {
        guard !event.event.isState, let horizon = horizon(of: event.room) else { return false }
        return event.saidAt < horizon
    }

    /// Whether an event sticks now.
    public func sticks(_ event: StoredEvent) -> Bool {
        event.event.sticksUntil(received: event.receivedTimestamp).map { $0 > now } ?? false
    }

    /// Whether rooms that say nothing lose messages too.
    public var coversEveryRoom: Bool { state.withLock { $0.policy?.lifetime(nil) != nil } }

    /// Whether any messages are lost.
    public var isEnforced: Bool { state.withLock { $0.policy != nil } }

    func set(_ retention: RoomRetention?, of room: RoomNumber) { state.withLock { $0.rooms[room] = retention } }
}

extension StoredEvent {
    /// When it was said, in milliseconds since 1970: as its sender says, but not later than it was received.
    public var saidAt: Int64 { min(event.originServerTS, receivedTimestamp) }
}

/// Look-ups of what is kept for how long.
public struct RetentionReader {
    let sql: ReadTransaction

    /// What rooms want, a page in the order of their numbers.
    public func wishes(after room: RoomNumber, limit: Int) throws -> [(room: RoomNumber, retention: RoomRetention)] {
        try sql.all(
            """
            SELECT room_num, min_lifetime_ms, max_lifetime_ms FROM room_retention
            WHERE room_num > $1 ORDER BY room_num LIMIT $2
            """, room, limit
        ) { (try $0.number(0), RoomRetention(minimum: try $0.intOrNil(1), maximum: try $0.intOrNil(2))) }
    }

    /// Rooms, a page in the order of their numbers.
    public func rooms(after room: RoomNumber, limit: Int) throws -> [RoomNumber] {
        try sql.all("SELECT num FROM rooms WHERE num > $1 AND head >= 0 ORDER BY num LIMIT $2", room, limit) {
            try $0.number(0)
        }
    }

    /// Messages of a room's timeline that were said before a time, but for the room's newest event and those that nothing follows yet; then
    /// those that were kept when history was removed.
    ///
    /// - Parameter horizon: In milliseconds since 1970.
    public func outlived(in room: RoomNumber, before horizon: Int64, limit: Int) throws -> [EventNumber] {
        let early = try sql.all(Self.saidEarly, room, horizon, limit) { try $0.number(0, as: EventNumber.self) }
        guard early.isEmpty else { return early }
        // Their senders say that they are from later than they came.
        let late = try sql.all(Self.receivedEarly, room, horizon, limit) { try $0.number(0, as: EventNumber.self) }
        guard late.isEmpty else { return late }
        return try sql.all(Self.kept, room, horizon, limit) { try $0.number(0) }
    }

    private static let saidEarly = SQL(
        """
        SELECT num FROM events
        WHERE room_num = $1 AND position IS NOT NULL AND status = 0 AND origin_server_ts < $2 AND \(isRemovable)
        ORDER BY origin_server_ts, position LIMIT $3
        """)
    private static let receivedEarly = SQL(
        """
        SELECT num FROM events
        WHERE room_num = $1 AND position > 0 AND status = 0 AND received_ts < $2 AND \(isRemovable)
        ORDER BY position LIMIT $3
        """)

    private static let kept = SQL(
        """
        SELECT num FROM events
        WHERE room_num = $1 AND position IS NULL AND status = 3 AND state_key_num IS NULL
            AND (origin_server_ts < $2 OR received_ts < $2)
        ORDER BY num LIMIT $3
        """)

    /// Of the events of a room: that it may be taken from the timeline.
    static let isRemovable = """
        state_key_num IS NULL AND (room_state IS NULL OR redacted_by IS NULL)
            AND position < (SELECT position FROM rooms WHERE rooms.num = events.room_num)
            AND NOT EXISTS (
                SELECT 1 FROM forward_extremities AS ends
                WHERE ends.room_num = events.room_num AND ends.event_num = events.num)
        """
}

/// Stores what is kept for how long, and lets go of what is not.
public struct RetentionWriter {
    let writer: StoreWriter

    /// Notes what a room wants; `nil` if it says nothing (any more).
    public func set(_ retention: RoomRetention?, of room: RoomNumber) throws {
        if let retention {
            try writer.sql.execute(
                """
                INSERT INTO room_retention (room_num, min_lifetime_ms, max_lifetime_ms) VALUES ($1, $2, $3)
                ON CONFLICT (room_num) DO UPDATE SET min_lifetime_ms = excluded.min_lifetime_ms,
                    max_lifetime_ms = excluded.max_lifetime_ms
                """, room, retention.minimum, retention.maximum)
        } else {
            try writer.sql.execute("DELETE FROM room_retention WHERE room_num = $1", room)
        }
        let store = writer.store
        writer.sql.onCommit { store.lifetimes.set(retention, of: room) }
    }

    /// Takes a message from its room's timeline and leaves of its text what the graph needs.
    ///
    /// One after which the room's state was resolved anew keeps its place, by which that state is found: it is as if it had redacted itself.
    /// Of one that was kept when history was removed nothing stays.
    public func purge(_ event: StoredEvent, to redacted: Event) throws {
        if event.status == .outlier { return try writer.history.remove([event.number], keepingMessagesOf: nil) }
        let keepsPlace = event.roomState != nil
        try writer.sql.execute(
            "UPDATE events SET json = $1, position = $2, redacted_by = $3 WHERE num = $4", redacted.bytes,
            keepsPlace ? event.position : nil, keepsPlace ? event.number : event.redactedBy, event.number)
        try writer.expiringEvents.forget(event.number)
        try writer.sql.execute("DELETE FROM sticky_events WHERE event_num = $1", event.number)
        try writer.relations.forget(event)
        try writer.search.remove(event.number)
        let stored = keepsPlace ? event.redacted(redacted, by: event.number) : event.purged(redacted)
        let store = writer.store
        writer.sql.onCommit {
            store.eventCache.insert(stored)
            store.journal.replace(keepsPlace ? stored : event.showing(redacted))
        }
    }
}

extension StoreReader {
    /// What is kept for how long.
    public var retention: RetentionReader { RetentionReader(sql: sql) }
}

extension StoreWriter {
    /// What is kept for how long.
    public var retention: RetentionWriter { RetentionWriter(writer: self) }
}
