import Database

extension Migration {
    /// Which events relate to which, and the threads that come of it.
    static let relations = Migration(
        number: 13, name: "relations of events, threads",
        sql: """
            -- An event of a timeline that relates to another, which need not be known here. Redacted events relate to nothing.
            -- annotation_key: of an m.annotation. is_valid: 0 for an m.replace that replaces nothing.
            CREATE TABLE relations (
                event_num INTEGER NOT NULL PRIMARY KEY REFERENCES events (num) ON DELETE CASCADE,
                room_num INTEGER NOT NULL,
                target_id TEXT NOT NULL,
                rel_type TEXT NOT NULL,
                type TEXT NOT NULL,
                sender_num INTEGER NOT NULL,
                position INTEGER NOT NULL,
                origin_server_ts INTEGER NOT NULL,
                annotation_key TEXT,
                is_valid INTEGER NOT NULL DEFAULT 1
            );
            -- Long threads are counted from the index alone.
            CREATE INDEX relations_by_target ON relations (target_id, rel_type, position, room_num, sender_num, event_num);
            CREATE INDEX relations_by_room ON relations (room_num, rel_type);
            -- last_position: the place of the thread's last event, by which threads are listed.
            CREATE TABLE threads (
                room_num INTEGER NOT NULL,
                root_id TEXT NOT NULL,
                last_position INTEGER NOT NULL,
                PRIMARY KEY (room_num, root_id)
            ) WITHOUT ROWID;
            CREATE INDEX threads_by_position ON threads (room_num, last_position);
            -- Events up to this number are from before there were these tables, and are looked through one by one, the last first.
            INSERT INTO counters (name, value) SELECT 'relations', value FROM counters WHERE name = 'event';
            """)
}
