import Database
import Matrix

/// Stores which events relate to which.
public struct RelationWriter {
    let writer: StoreWriter

    /// Notes how an event that takes its place in a timeline relates to another, if it does.
    public func note(_ stored: StoredEvent) throws {
        guard let position = stored.position, stored.status == .accepted, let relation = stored.event.relation,
            stored.event.type.string.utf8.count <= Event.maximumFieldBytes, !stored.event.type.string.utf8.contains(0)
        else { return }
        let isValid = relation.type != Relation.replacement || stored.event.canReplace
        try writer.sql.execute(
            """
            INSERT INTO relations (event_num, room_num, target_id, rel_type, type, sender_num, position, origin_server_ts,
                annotation_key, is_valid)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT (event_num) DO UPDATE SET position = excluded.position
            """, stored.number, stored.room, relation.target, relation.type, stored.event.type, stored.sender, position,
            stored.event.originServerTS, relation.key, isValid
        )
        if relation.type == Relation.thread {
            try writer.sql.execute(
                """
                INSERT INTO threads (room_num, root_id, last_position) VALUES ($1, $2, $3)
                ON CONFLICT (room_num, root_id)
                    DO UPDATE SET last_position = GREATEST(threads.last_position, excluded.last_position)
                """, stored.room, relation.target, position
            )
        }
        guard [Relation.replacement, Relation.thread, Relation.reference].contains(relation.type) else { return }
        let store = writer.store
        writer.sql.onCommit { store.relatedRooms.note(stored.room) }
    }

    /// Forgets how an event related to another: it has lost its content, or its place in the timeline.
    ///
    /// - Parameter stored: The event as it was.
    func forget(_ stored: StoredEvent) throws {
        guard let relation = stored.event.relation else { return }
        let removed = try writer.sql.executeCounting("DELETE FROM relations WHERE event_num = $1", stored.number)
        guard removed > 0, relation.type == Relation.thread else { return }
        let last = try writer.sql.first(
            """
            SELECT position FROM relations WHERE target_id = $1 AND rel_type = 'm.thread' AND room_num = $2
            ORDER BY position DESC LIMIT 1
            """, relation.target, stored.room
        ) { try $0.number(0, as: StreamPosition.self) }
        if let last {
            try writer.sql.execute(
                "UPDATE threads SET last_position = $1 WHERE room_num = $2 AND root_id = $3", last, stored.room,
                relation.target)
        } else {
            try writer.sql.execute(
                "DELETE FROM threads WHERE room_num = $1 AND root_id = $2", stored.room, relation.target)
        }
    }

    /// Notes the relations of some events from before relations were noted.
    ///
    /// - Returns: Whether there may be more.
    public func noteBacklog(limit: Int) throws -> Bool {
        let through = try writer.sql.first("SELECT value FROM counters WHERE name = 'relations'") { try $0.int(0) } ?? 0
        guard through > 0 else { return false }
        let numbers = try writer.sql.all(
            "SELECT num FROM events WHERE num <= $1 AND position IS NOT NULL ORDER BY num DESC LIMIT $2", through, limit
        ) { try $0.number(0, as: EventNumber.self) }
        for event in try writer.read.events.events(numbers) { try note(event) }
        let next = numbers.count < limit ? 0 : (numbers.last?.rawValue ?? 1) - 1
        try writer.sql.execute("UPDATE counters SET value = $1 WHERE name = 'relations'", next)
        return next > 0
    }
}

extension StoreWriter {
    /// Which events relate to which.
    public var relations: RelationWriter { RelationWriter(writer: self) }
}
