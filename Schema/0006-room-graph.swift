import Database

extension Migration {
    /// Rooms shared with other servers: branches of the graph, history that is missing, events that wait to be looked at.
    static let roomGraph = Migration(
        number: 6, name: "room graph",
        sql: """
            -- state is the state after the event on its own branch of the graph. room_state: the room's current state when the event
            -- took its place in the timeline, where that is another (branches had met).
            ALTER TABLE events ADD COLUMN room_state INTEGER;
            -- Events that others name as the ones before them and that this server does not have.
            CREATE TABLE backward_extremities (
                room_num INTEGER NOT NULL REFERENCES rooms (num),
                event_id TEXT NOT NULL,
                PRIMARY KEY (room_num, event_id)
            ) WITHOUT ROWID;
            -- Redactions of events that this server did not have when they came.
            CREATE TABLE pending_redactions (
                target_id TEXT NOT NULL,
                redaction_num INTEGER NOT NULL,
                PRIMARY KEY (target_id, redaction_num)
            ) WITHOUT ROWID;
            -- Events from other servers that have been acknowledged and not been looked at yet, in the order of arrival. They have
            -- passed the checks of signatures and hashes; json is the event as it is to be kept.
            CREATE TABLE inbox (
                num INTEGER PRIMARY KEY AUTOINCREMENT,
                room_num INTEGER NOT NULL REFERENCES rooms (num),
                event_id TEXT NOT NULL UNIQUE,
                origin TEXT NOT NULL,
                received_ts INTEGER NOT NULL,
                json BLOB NOT NULL
            );
            CREATE INDEX inbox_by_room ON inbox (room_num, num);
            -- What an invitation or a knock told of a room that this server is not in: a JSON array of stripped events.
            CREATE TABLE stripped_states (
                room_num INTEGER NOT NULL REFERENCES rooms (num),
                user_num INTEGER NOT NULL REFERENCES users (num),
                json BLOB NOT NULL,
                PRIMARY KEY (room_num, user_num)
            ) WITHOUT ROWID;
            -- Rooms whose memberships are not all known yet: joined fast, to be completed from one of these servers.
            CREATE TABLE partial_joins (
                room_num INTEGER NOT NULL PRIMARY KEY REFERENCES rooms (num),
                event_num INTEGER NOT NULL,
                via TEXT NOT NULL,
                servers TEXT NOT NULL
            );
            """
    )
}
