import Database

extension Migration {
    /// Delayed events that the server keeps waiting for as long as somebody is in a call.
    static let delegatedLeaves = Migration(
        number: 30, name: "delegated leaves",
        sql: """
            -- sfu_room, identity: what LiveKit calls the room and who is in it. connected: whether they have been seen there. look_ts: when to look
            -- again.
            CREATE TABLE delegated_leaves (
                sfu_room TEXT NOT NULL,
                identity TEXT NOT NULL,
                delay_id TEXT NOT NULL UNIQUE REFERENCES delayed_events (delay_id) ON DELETE CASCADE,
                connected INTEGER NOT NULL DEFAULT 0,
                look_ts INTEGER NOT NULL,
                PRIMARY KEY (sfu_room, identity)
            );
            CREATE INDEX delegated_leaves_by_time ON delegated_leaves (look_ts);
            """)
}
