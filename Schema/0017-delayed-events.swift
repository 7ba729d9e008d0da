import Database

extension Migration {
    /// Events that the server sends later, unless their sender says otherwise until then.
    static let delayedEvents = Migration(
        number: 17, name: "delayed events",
        sql: """
            -- txn: under which name the client asked for it, with the kind of request. state_key: NULL for messages. position: the
            -- journal's end when it was asked for. send_ts: when it is due.
            CREATE TABLE delayed_events (
                delay_id TEXT PRIMARY KEY,
                user_num INTEGER NOT NULL,
                device_id TEXT,
                room_num INTEGER NOT NULL,
                type TEXT NOT NULL,
                state_key TEXT,
                txn TEXT,
                content TEXT NOT NULL,
                delay_ms INTEGER NOT NULL,
                running_since_ts INTEGER NOT NULL,
                send_ts INTEGER NOT NULL,
                position INTEGER NOT NULL
            );
            CREATE INDEX delayed_events_by_time ON delayed_events (send_ts);
            CREATE INDEX delayed_events_by_user ON delayed_events (user_num, running_since_ts);
            """)
}
