import Database

extension Migration {
    /// What push gateways are still to be told.
    static let pendingPushes = Migration(
        number: 18, name: "pending pushes",
        sql: """
            -- position: the journal entry it is because of. event_num: NULL where only the number of what is unread is to be told.
            -- actions: what the user's rules said of the event, a JSON array.
            CREATE TABLE pending_pushes (
                user_num INTEGER NOT NULL,
                app_id TEXT NOT NULL,
                push_key TEXT NOT NULL,
                position INTEGER NOT NULL,
                event_num INTEGER,
                actions TEXT NOT NULL,
                added_ts INTEGER NOT NULL,
                PRIMARY KEY (user_num, app_id, push_key, position),
                FOREIGN KEY (user_num, app_id, push_key) REFERENCES pushers (user_num, app_id, push_key) ON DELETE CASCADE
            );
            -- How far the journal has been looked through: what was said before nobody is told any more.
            INSERT INTO counters (name, value) SELECT 'push', value FROM counters WHERE name = 'journal';
            """)
}
