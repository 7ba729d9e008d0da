import Database

extension Migration {
    /// Events that stick for a while.
    static let stickyEvents = Migration(
        number: 25, name: "sticky events",
        sql: """
            -- position: as in events; null for one that has failed softly, which is looked at again when the room changes.
            CREATE TABLE sticky_events (
                event_num INTEGER NOT NULL PRIMARY KEY,
                room_num INTEGER NOT NULL,
                position INTEGER,
                expires_ts INTEGER NOT NULL
            );
            CREATE INDEX sticky_events_by_room ON sticky_events (room_num, position);
            CREATE INDEX sticky_events_by_time ON sticky_events (expires_ts);
            -- For how long the event sticks that is sent later, in milliseconds.
            ALTER TABLE delayed_events ADD COLUMN sticky_ms INTEGER;
            """)
}
