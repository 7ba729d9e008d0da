import Database

extension Migration {
    /// The journal, the identifiers behind numbers, events, states and memberships.
    static let rooms = Migration(
        number: 1, name: "rooms",
        sql: """
            -- Where numbers come from. `journal` has no gaps: its row lock is what makes positions visible in order.
            CREATE TABLE counters (
                name TEXT NOT NULL PRIMARY KEY,
                value INTEGER NOT NULL
            );
            INSERT INTO counters (name, value) VALUES
                ('journal', 0), ('backfill', 0), ('event', 0), ('state', 0), ('room', 0), ('user', 0), ('state_key', 0);
            CREATE TABLE users (
                num INTEGER NOT NULL PRIMARY KEY,
                user_id TEXT NOT NULL UNIQUE
            );
            CREATE TABLE state_keys (
                num INTEGER NOT NULL PRIMARY KEY,
                type TEXT NOT NULL,
                state_key TEXT NOT NULL,
                UNIQUE (type, state_key)
            );
            -- One entry for everything that changed. kind: see JournalKind. detail: what of several things, by kind.
            CREATE TABLE journal (
                position INTEGER NOT NULL PRIMARY KEY,
                kind INTEGER NOT NULL,
                room_num INTEGER,
                user_num INTEGER,
                reference INTEGER,
                detail TEXT
            );
            -- head counts the changes of extremities and state: a lane that decided on an older head decides again.
            CREATE TABLE rooms (
                num INTEGER NOT NULL PRIMARY KEY,
                room_id TEXT NOT NULL UNIQUE,
                version TEXT NOT NULL,
                head INTEGER NOT NULL DEFAULT 0,
                state INTEGER,
                position INTEGER NOT NULL DEFAULT 0,
                published INTEGER NOT NULL DEFAULT 0,
                blocked INTEGER NOT NULL DEFAULT 0
            );
            CREATE INDEX rooms_by_position ON rooms (position);
            CREATE INDEX rooms_published ON rooms (num) WHERE published = 1;
            -- A state is what changed since its parent. place is its number in the line of states it continues; the parent is
            -- the state whose place is place with the lowest bit cleared, so that a chain is as long as place has bits set.
            CREATE TABLE states (
                num INTEGER NOT NULL PRIMARY KEY,
                room_num INTEGER NOT NULL REFERENCES rooms (num),
                parent INTEGER REFERENCES states (num),
                place INTEGER NOT NULL,
                refs INTEGER NOT NULL DEFAULT 0
            );
            CREATE INDEX states_by_room ON states (room_num);
            CREATE INDEX states_by_parent ON states (parent);
            -- event_num is null where the key has no event any more.
            CREATE TABLE state_entries (
                state INTEGER NOT NULL REFERENCES states (num),
                state_key_num INTEGER NOT NULL,
                event_num INTEGER,
                PRIMARY KEY (state, state_key_num)
            ) WITHOUT ROWID;
            -- position: the place in the room's timeline, that of the journal entry which announced the event (negative: history
            -- fetched later; null: known, but in no timeline). state: the state after the event. replaces: the event whose
            -- place in the state it took. status: see EventStatus. device, txn_scope, txn_id: what its sender called it.
            CREATE TABLE events (
                num INTEGER NOT NULL PRIMARY KEY,
                event_id TEXT NOT NULL UNIQUE,
                room_num INTEGER NOT NULL REFERENCES rooms (num),
                sender_num INTEGER NOT NULL REFERENCES users (num),
                state_key_num INTEGER,
                position INTEGER,
                depth INTEGER NOT NULL,
                origin_server_ts INTEGER NOT NULL,
                state INTEGER,
                replaces INTEGER,
                redacted_by INTEGER,
                status INTEGER NOT NULL,
                received_ts INTEGER NOT NULL,
                device_id TEXT,
                txn_scope TEXT,
                txn_id TEXT,
                json BLOB NOT NULL
            );
            CREATE UNIQUE INDEX events_by_room ON events (room_num, position);
            CREATE UNIQUE INDEX events_by_transaction ON events (sender_num, device_id, txn_id, txn_scope, room_num)
                WHERE txn_id IS NOT NULL;
            CREATE TABLE forward_extremities (
                room_num INTEGER NOT NULL REFERENCES rooms (num),
                event_num INTEGER NOT NULL,
                PRIMARY KEY (room_num, event_num)
            ) WITHOUT ROWID;
            -- The current membership of everyone a room knows, as its current state has it.
            CREATE TABLE memberships (
                room_num INTEGER NOT NULL REFERENCES rooms (num),
                user_num INTEGER NOT NULL REFERENCES users (num),
                membership INTEGER NOT NULL,
                event_num INTEGER NOT NULL,
                position INTEGER NOT NULL,
                forgotten INTEGER NOT NULL DEFAULT 0,
                PRIMARY KEY (room_num, user_num)
            ) WITHOUT ROWID;
            CREATE INDEX memberships_by_user ON memberships (user_num, membership);
            """
    )
}
