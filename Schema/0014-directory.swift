import Database

extension Migration {
    /// People who can be found by name, what moderators are told of, threads that people follow.
    static let userDirectory = Migration(
        number: 14, name: "user directory, reports, thread subscriptions",
        sql: """
            -- has_open_name: the name is one that everybody may see; 0: it has only been seen in rooms that are not open.
            CREATE TABLE directory_users (
                user_num INTEGER NOT NULL PRIMARY KEY REFERENCES users (num),
                display_name TEXT,
                avatar_url TEXT,
                has_open_name INTEGER NOT NULL
            );
            -- The words of names and identifiers: see Words.
            CREATE TABLE directory_words (
                word TEXT NOT NULL,
                user_num INTEGER NOT NULL REFERENCES directory_users (user_num) ON DELETE CASCADE,
                PRIMARY KEY (word, user_num)
            ) WITHOUT ROWID;
            CREATE INDEX directory_words_by_user ON directory_words (user_num);
            -- Rooms that everybody may join or read, and that this server takes part in.
            CREATE TABLE open_rooms (
                room_num INTEGER NOT NULL PRIMARY KEY
            );
            -- How far the journal has been looked through.
            INSERT INTO counters (name, value) VALUES ('user_directory', 0);

            -- What users have reported: a room, an event of it, or a user. Those need not be known here.
            CREATE TABLE reports (
                num INTEGER PRIMARY KEY AUTOINCREMENT,
                reporter_num INTEGER NOT NULL REFERENCES users (num),
                room_id TEXT,
                event_id TEXT,
                user_id TEXT,
                reason TEXT NOT NULL,
                score INTEGER,
                received_ts INTEGER NOT NULL
            );
            CREATE INDEX reports_by_reporter ON reports (reporter_num, received_ts);

            -- is_subscribed: 0 for a thread that a user wants to hear no more of. position: where the journal was then.
            CREATE TABLE thread_subscriptions (
                user_num INTEGER NOT NULL REFERENCES users (num),
                room_num INTEGER NOT NULL REFERENCES rooms (num),
                root_id TEXT NOT NULL,
                is_subscribed INTEGER NOT NULL,
                is_automatic INTEGER NOT NULL,
                position INTEGER NOT NULL,
                PRIMARY KEY (user_num, room_num, root_id)
            ) WITHOUT ROWID;
            """)
}
