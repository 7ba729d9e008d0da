import Database

extension Migration {
    /// What users keep and say about themselves: account data, filters, receipts, presence, unread counts; and room aliases.
    static let userData = Migration(
        number: 4, name: "user data",
        sql: """
            -- room_num is 0 for what belongs to no room. deleted: the client that deleted it was told so; content is {}.
            CREATE TABLE account_data (
                user_num INTEGER NOT NULL REFERENCES users (num),
                room_num INTEGER NOT NULL,
                type TEXT NOT NULL,
                content BLOB NOT NULL,
                deleted INTEGER NOT NULL DEFAULT 0,
                position INTEGER NOT NULL,
                PRIMARY KEY (user_num, room_num, type)
            ) WITHOUT ROWID;
            CREATE INDEX account_data_by_position ON account_data (user_num, position);

            -- digest: SHA-256 of the canonical JSON, so that a client that repeats itself gets the same number.
            CREATE TABLE filters (
                user_num INTEGER NOT NULL REFERENCES users (num),
                num INTEGER NOT NULL,
                digest BLOB NOT NULL,
                json BLOB NOT NULL,
                PRIMARY KEY (user_num, num),
                UNIQUE (user_num, digest)
            ) WITHOUT ROWID;

            -- thread is empty for the whole room. event_position: the event's place in the timeline, null if it is not known here.
            CREATE TABLE receipts (
                room_num INTEGER NOT NULL REFERENCES rooms (num),
                user_num INTEGER NOT NULL REFERENCES users (num),
                type TEXT NOT NULL,
                thread TEXT NOT NULL,
                event_id TEXT NOT NULL,
                event_position INTEGER,
                ts INTEGER NOT NULL,
                position INTEGER NOT NULL,
                PRIMARY KEY (room_num, user_num, type, thread)
            ) WITHOUT ROWID;
            CREATE INDEX receipts_by_position ON receipts (room_num, position);

            CREATE TABLE presence (
                user_num INTEGER NOT NULL PRIMARY KEY REFERENCES users (num),
                state INTEGER NOT NULL,
                status_msg TEXT,
                last_active_ts INTEGER NOT NULL,
                currently_active INTEGER NOT NULL,
                position INTEGER NOT NULL
            );
            CREATE INDEX presence_by_position ON presence (position);

            -- counts: what is unread by thread, as far as the timeline has been looked at (position) and receipts have been taken
            -- into account (receipts). It can be worked out again at any time.
            CREATE TABLE unread_counts (
                user_num INTEGER NOT NULL REFERENCES users (num),
                room_num INTEGER NOT NULL REFERENCES rooms (num),
                position INTEGER NOT NULL,
                receipts INTEGER NOT NULL,
                counts TEXT NOT NULL,
                PRIMARY KEY (user_num, room_num)
            ) WITHOUT ROWID;

            CREATE TABLE room_aliases (
                alias TEXT NOT NULL PRIMARY KEY,
                room_num INTEGER NOT NULL REFERENCES rooms (num),
                creator_num INTEGER NOT NULL REFERENCES users (num),
                created_ts INTEGER NOT NULL
            );
            CREATE INDEX room_aliases_by_room ON room_aliases (room_num, alias);
            """)
}
