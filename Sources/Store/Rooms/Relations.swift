import Database
import Matrix

/// An event that relates to another.
public struct RelatedEvent: Sendable {
    /// The event.
    public let event: EventNumber
    /// Its place in the timeline.
    public let position: StreamPosition
    /// Over how many relations it relates to the event asked about: 1 if directly.
    public let depth: Int
}

/// A thread as it is told of with its root.
public struct ThreadSummary: Sendable {
    /// The root's room.
    public let room: RoomNumber
    /// The last event.
    public let last: EventNumber
    /// How many events there are beside the root.
    public let count: Int
    /// Whether the user asked for has sent one of them.
    public let hasParticipated: Bool
}

/// Which of the events that relate to another are wanted.
public struct RelationSelection: Sendable {
    /// The event.
    public let target: EventID
    /// Its room.
    public let room: RoomNumber
    /// The `rel_type` wanted; all if `nil`.
    public let relationType: ExactString?
    /// The type of event wanted; all if `nil`.
    public let eventType: EventType?
    /// How many relations are followed, 1 or more.
    public let depth: Int

    /// A selection.
    public init(
        target: EventID, room: RoomNumber, relationType: ExactString? = nil, eventType: EventType? = nil, depth: Int = 1
    ) {
        self.target = target
        self.room = room
        self.relationType = relationType
        self.eventType = eventType
        self.depth = depth
    }
}

/// Look-ups of which events relate to which.
public struct RelationReader {
    let sql: ReadTransaction

    /// Those of `rooms` in which there are relations that are told together with the events they point to.
    func rooms(among rooms: [RoomNumber]) throws -> [RoomNumber] {
        try sql.all(
            """
            SELECT asked.value FROM list($1) AS asked
            WHERE EXISTS (SELECT 1 FROM relations WHERE relations.room_num = asked.value
                AND rel_type IN ('m.replace', 'm.thread', 'm.reference'))
            """, rooms.sqlList
        ) { try $0.number(0) }
    }

    /// In which of the ways that are told together with an event others relate to these, each with the room of those others.
    public func bundled(_ targets: [EventID]) throws -> [(target: EventID, room: RoomNumber, type: ExactString)] {
        try sql.all(
            """
            SELECT DISTINCT target_id, room_num, rel_type FROM relations
            WHERE target_id IN textlist($1) AND rel_type IN ('m.replace', 'm.thread', 'm.reference')
            """, targets.map(\.string)
        ) { (target: try $0.identifier(0), room: try $0.number(1), type: ExactString(try $0.text(2))) }
    }

    /// The last valid replacements of events: one for each type, since an event can only be replaced by one of its own type.
    public func replacements(of targets: [EventID]) throws -> [(target: EventID, replacement: EventNumber)] {
        try sql.all(
            """
            SELECT target_id, event_num FROM (
                SELECT relations.target_id, relations.event_num, ROW_NUMBER() OVER (
                    PARTITION BY relations.target_id, relations.type
                    ORDER BY relations.origin_server_ts DESC, events.event_id DESC) AS place
                FROM relations
                JOIN events AS target ON target.event_id = relations.target_id AND target.room_num = relations.room_num
                    AND target.sender_num = relations.sender_num
                JOIN events ON events.num = relations.event_num
                WHERE relations.target_id IN textlist($1) AND relations.rel_type = 'm.replace' AND relations.is_valid = 1
            ) AS ranked WHERE place = 1
            """, targets.map(\.string)
        ) { (target: try $0.identifier(0), replacement: try $0.number(1)) }
    }

    /// The threads that begin with these events.
    ///
    /// - Parameters:
    ///   - user: Whose participation is asked for.
    ///   - ignored: Users whose events do not count.
    public func threads(
        from roots: [EventID], for user: UserNumber, ignoring ignored: [UserNumber]
    ) throws -> [(root: EventID, thread: ThreadSummary)] {
        try sql.all(
            """
            SELECT target_id, room_num, event_num, total, participated FROM (
                SELECT target_id, room_num, event_num,
                    ROW_NUMBER() OVER (PARTITION BY target_id, room_num ORDER BY position DESC) AS place,
                    COUNT(*) OVER (PARTITION BY target_id, room_num) AS total,
                    MAX(CASE WHEN sender_num = $2 THEN 1 ELSE 0 END) OVER (PARTITION BY target_id, room_num) AS participated
                FROM relations
                WHERE target_id IN textlist($1) AND rel_type = 'm.thread' AND NOT sender_num IN list($3)
            ) AS ranked WHERE place = 1
            """, roots.map(\.string), user, ignored.sqlList
        ) { row in
            let thread = ThreadSummary(
                room: try row.number(1), last: try row.number(2), count: Int(try row.int(3)),
                hasParticipated: try row.bool(4))
            return (root: try row.identifier(0), thread: thread)
        }
    }

    /// The first events that refer to these.
    ///
    /// - Parameters:
    ///   - ignored: Users whose events are left out.
    ///   - limit: How many at the most for each.
    public func references(
        to targets: [EventID], ignoring ignored: [UserNumber], limit: Int
    ) throws -> [(target: EventID, reference: EventNumber)] {
        try sql.all(
            """
            SELECT target_id, event_num FROM (
                SELECT target_id, event_num, position,
                    ROW_NUMBER() OVER (PARTITION BY target_id ORDER BY position) AS place
                FROM relations
                WHERE target_id IN textlist($1) AND rel_type = 'm.reference' AND NOT sender_num IN list($2)
            ) AS ranked WHERE place <= $3 ORDER BY target_id, position
            """, targets.map(\.string), ignored.sqlList, limit
        ) { (target: try $0.identifier(0), reference: try $0.number(1)) }
    }

    /// How others relate to events, and who says so.
    public func relating(
        to targets: [EventID]
    ) throws -> [(target: EventID, room: RoomNumber, type: String, sender: UserNumber)] {
        try sql.all(
            "SELECT DISTINCT target_id, room_num, rel_type, sender_num FROM relations WHERE target_id IN textlist($1)",
            targets.map(\.string)
        ) { (target: try $0.identifier(0), room: try $0.number(1), type: try $0.text(2), sender: try $0.number(3)) }
    }

    /// A stretch of the events that relate to one.
    ///
    /// - Parameters:
    ///   - after: Events at or before this place are left out.
    ///   - through: Events after this place are left out.
    ///   - newestFirst: Whether to begin at the end; the result is in that order.
    public func events(
        _ selection: RelationSelection, after: StreamPosition, through: StreamPosition, limit: Int, newestFirst: Bool
    ) throws -> [RelatedEvent] {
        try sql.all(
            newestFirst ? Self.backward : Self.forward, selection.target, selection.room, selection.depth,
            selection.relationType, selection.eventType, after, through, limit
        ) { RelatedEvent(event: try $0.number(0), position: try $0.number(1), depth: Int(try $0.int(2))) }
    }

    private static let backward = SQL("\(related) ORDER BY position DESC LIMIT $8")
    private static let forward = SQL("\(related) ORDER BY position LIMIT $8")
    // What does not match is not gone on from: the specification has it so.
    private static let related = """
        WITH RECURSIVE related (num, event_id, position, depth) AS (
            SELECT relations.event_num, events.event_id, relations.position, 1
            FROM relations JOIN events ON events.num = relations.event_num
            WHERE relations.target_id = $1 AND relations.room_num = $2 AND COALESCE($4, rel_type) = rel_type
                AND COALESCE($5, relations.type) = relations.type
            UNION
            SELECT relations.event_num, events.event_id, relations.position, related.depth + 1
            FROM related
            JOIN relations ON relations.target_id = related.event_id AND relations.room_num = $2
            JOIN events ON events.num = relations.event_num
            WHERE related.depth < $3 AND COALESCE($4, rel_type) = rel_type
                AND COALESCE($5, relations.type) = relations.type
        )
        SELECT num, position, MIN(depth) FROM related WHERE position > $6 AND position <= $7 GROUP BY num, position
        """

    /// A user's annotation of an event with that key, or `nil`.
    public func annotation(
        of target: EventID, in room: RoomNumber, by user: UserNumber, type: EventType, key: ExactString
    ) throws -> EventNumber? {
        try sql.first(
            """
            SELECT event_num FROM relations WHERE target_id = $1 AND rel_type = 'm.annotation' AND room_num = $2
                AND sender_num = $3 AND type = $4 AND annotation_key = $5 LIMIT 1
            """, target, room, user, type, key
        ) { try $0.number(0) }
    }

    /// Threads of a room, those with the latest events first.
    ///
    /// - Parameters:
    ///   - before: Only threads whose last event stands before this place.
    ///   - participant: Only threads in which this user has taken part, if not `nil`.
    public func threads(
        in room: RoomNumber, before: StreamPosition, limit: Int, participant: UserNumber?
    ) throws -> [(root: EventID, last: StreamPosition)] {
        guard let participant else {
            return try sql.all(
                """
                SELECT root_id, last_position FROM threads WHERE room_num = $1 AND last_position < $2
                ORDER BY last_position DESC LIMIT $3
                """, room, before, limit
            ) { (root: try $0.identifier(0), last: try $0.number(1)) }
        }
        return try sql.all(
            """
            SELECT root_id, last_position FROM threads WHERE room_num = $1 AND last_position < $2
                AND (EXISTS (SELECT 1 FROM relations WHERE target_id = root_id AND rel_type = 'm.thread'
                        AND relations.room_num = $1 AND sender_num = $4)
                    OR EXISTS (SELECT 1 FROM events WHERE event_id = root_id AND events.sender_num = $4))
            ORDER BY last_position DESC LIMIT $3
            """, room, before, limit, participant
        ) { (root: try $0.identifier(0), last: try $0.number(1)) }
    }
}

extension StoreReader {
    /// Which events relate to which.
    public var relations: RelationReader { RelationReader(sql: sql) }
}
