import Database

extension Migration {
    /// What other servers have been sent, and what waits to be sent to them.
    static let destinations = Migration(
        number: 8, name: "destinations",
        sql: """
            -- The server in a user's identifier: what follows its first colon.
            ALTER TABLE users ADD COLUMN server TEXT NOT NULL DEFAULT '';
            WITH RECURSIVE place (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM place WHERE i < 255)
            UPDATE users SET server = substr(user_id, (SELECT MIN(i) FROM place WHERE substr(user_id, i, 1) = ':') + 1);
            CREATE INDEX users_by_server ON users (server, num);

            -- What concerns a server up to sent_through has been delivered; up to queued_through something may wait. Both only
            -- grow. interval_ms: the time between the last two attempts, which failed. Times are milliseconds since 1970.
            CREATE TABLE destinations (
                server TEXT NOT NULL PRIMARY KEY,
                sent_through INTEGER NOT NULL,
                queued_through INTEGER NOT NULL,
                failures INTEGER NOT NULL DEFAULT 0,
                interval_ms INTEGER NOT NULL DEFAULT 0,
                retry_ts INTEGER NOT NULL DEFAULT 0,
                first_failure_ts INTEGER,
                last_success_ts INTEGER,
                last_attempt_ts INTEGER,
                last_error TEXT
            ) WITHOUT ROWID;
            CREATE INDEX destinations_waiting ON destinations (server) WHERE queued_through > sent_through OR failures > 0;
            -- How far the journal has been looked through for what concerns other servers: what they are owed from before is
            -- in destinations.queued_through.
            INSERT INTO counters (name, value) SELECT 'federation', value FROM counters WHERE name = 'journal';

            -- Events that are not sent on like all others. origin: the server on whose behalf this one let the event in, and
            -- sends it to all the others; null: another server sends it to everyone.
            CREATE TABLE relayed_events (
                event_num INTEGER NOT NULL PRIMARY KEY,
                origin TEXT
            );

            -- Messages for devices on other servers, until they are acknowledged. content: that of an m.direct_to_device.
            CREATE TABLE outgoing_device_messages (
                num INTEGER PRIMARY KEY AUTOINCREMENT,
                server TEXT NOT NULL,
                content BLOB NOT NULL
            );
            CREATE INDEX outgoing_device_messages_by_server ON outgoing_device_messages (server, num);

            -- What other servers were last told of a user's devices, and under which stream_id; device_id is empty for the
            -- cross-signing keys, which have none (0). digest: SHA-256 of what was told, null for a device that is gone.
            CREATE TABLE device_announcements (
                user_num INTEGER NOT NULL REFERENCES users (num),
                device_id TEXT NOT NULL,
                stream_id INTEGER NOT NULL,
                prev_id INTEGER,
                position INTEGER NOT NULL,
                digest BLOB,
                PRIMARY KEY (user_num, device_id)
            ) WITHOUT ROWID;
            CREATE INDEX device_announcements_by_position ON device_announcements (position);
            """)
}
