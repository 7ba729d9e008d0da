import Database

extension Migration {
    /// What accounts have beside sessions: pushers, validated addresses; and events that end by themselves.
    static let services = Migration(
        number: 10, name: "pushers, addresses, expiring events",
        sql: """
            CREATE INDEX accounts_erased ON accounts (user_num) WHERE is_erased = 1;
            CREATE INDEX accounts_guest ON accounts (user_num) WHERE is_guest = 1;
            -- refused: somebody else has shown who they are. address: the mail address that was shown, if one was.
            ALTER TABLE interactive_sessions ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
            ALTER TABLE interactive_sessions ADD COLUMN address TEXT;

            -- Whom to tell of what a user is notified of. data is a JSON text.
            CREATE TABLE pushers (
                user_num INTEGER NOT NULL,
                app_id TEXT NOT NULL,
                push_key TEXT NOT NULL,
                device_id TEXT NOT NULL,
                kind TEXT NOT NULL,
                app_name TEXT NOT NULL,
                device_name TEXT NOT NULL,
                profile_tag TEXT,
                language TEXT NOT NULL,
                data TEXT NOT NULL,
                created_ts INTEGER NOT NULL,
                PRIMARY KEY (user_num, app_id, push_key),
                FOREIGN KEY (user_num, device_id) REFERENCES devices (user_num, device_id) ON DELETE CASCADE
            );
            CREATE INDEX pushers_by_device ON pushers (user_num, device_id);
            CREATE INDEX pushers_by_key ON pushers (push_key, app_id);

            -- Events whose content is to go at a time that they name themselves.
            CREATE TABLE expiring_events (
                event_num INTEGER NOT NULL PRIMARY KEY REFERENCES events (num) ON DELETE CASCADE,
                expires_ts INTEGER NOT NULL
            );
            CREATE INDEX expiring_events_by_time ON expiring_events (expires_ts);

            -- Mail addresses that belong to accounts: lower case, each to one account only.
            CREATE TABLE account_addresses (
                address TEXT NOT NULL PRIMARY KEY,
                user_num INTEGER NOT NULL REFERENCES accounts (user_num),
                validated_ts INTEGER NOT NULL,
                added_ts INTEGER NOT NULL
            );
            CREATE INDEX account_addresses_by_user ON account_addresses (user_num);
            -- Proofs under way that somebody gets the mail of an address. Of the token in the mail only the hash is kept.
            CREATE TABLE address_validations (
                sid TEXT NOT NULL PRIMARY KEY,
                client_secret TEXT NOT NULL,
                address TEXT NOT NULL,
                purpose TEXT NOT NULL,
                token_hash BLOB NOT NULL,
                send_attempt INTEGER NOT NULL,
                next_link TEXT,
                validated_ts INTEGER,
                expires_ts INTEGER NOT NULL,
                UNIQUE (client_secret, address, purpose)
            );
            CREATE INDEX address_validations_by_expiry ON address_validations (expires_ts);
            """
    )
}
