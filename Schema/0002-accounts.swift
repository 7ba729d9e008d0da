import Database

extension Migration {
    /// Accounts of this server, their devices, sessions and profiles.
    static let accounts = Migration(
        number: 2, name: "accounts",
        sql: """
            -- password_hash is null where nobody can log in with a password. Flags are 0 or 1. erased: deactivated, and asked to
            -- be forgotten. departing: deactivated, and not gone from all rooms yet. Times are milliseconds since 1970.
            CREATE TABLE accounts (
                user_num INTEGER NOT NULL PRIMARY KEY REFERENCES users (num),
                password_hash TEXT,
                is_admin INTEGER NOT NULL DEFAULT 0,
                is_guest INTEGER NOT NULL DEFAULT 0,
                is_locked INTEGER NOT NULL DEFAULT 0,
                is_suspended INTEGER NOT NULL DEFAULT 0,
                is_deactivated INTEGER NOT NULL DEFAULT 0,
                is_erased INTEGER NOT NULL DEFAULT 0,
                is_departing INTEGER NOT NULL DEFAULT 0,
                app_service TEXT,
                created_ts INTEGER NOT NULL
            );
            CREATE INDEX accounts_departing ON accounts (user_num) WHERE is_departing = 1;
            -- generation: that of the newest tokens given out for the device.
            CREATE TABLE devices (
                user_num INTEGER NOT NULL REFERENCES accounts (user_num),
                device_id TEXT NOT NULL,
                display_name TEXT,
                generation INTEGER NOT NULL DEFAULT 0,
                created_ts INTEGER NOT NULL,
                last_seen_ts INTEGER,
                last_seen_ip TEXT,
                last_seen_user_agent TEXT,
                PRIMARY KEY (user_num, device_id)
            ) WITHOUT ROWID;
            -- Tokens are known by their SHA-256 only. A refresh gives out the next generation; once a token of a generation is
            -- used those of the generations before are removed.
            CREATE TABLE access_tokens (
                hash BLOB NOT NULL PRIMARY KEY,
                user_num INTEGER NOT NULL,
                device_id TEXT NOT NULL,
                generation INTEGER NOT NULL,
                is_used INTEGER NOT NULL DEFAULT 0,
                expires_ts INTEGER,
                FOREIGN KEY (user_num, device_id) REFERENCES devices (user_num, device_id) ON DELETE CASCADE
            ) WITHOUT ROWID;
            CREATE INDEX access_tokens_by_device ON access_tokens (user_num, device_id);
            CREATE TABLE refresh_tokens (
                hash BLOB NOT NULL PRIMARY KEY,
                user_num INTEGER NOT NULL,
                device_id TEXT NOT NULL,
                generation INTEGER NOT NULL,
                expires_ts INTEGER,
                FOREIGN KEY (user_num, device_id) REFERENCES devices (user_num, device_id) ON DELETE CASCADE
            ) WITHOUT ROWID;
            CREATE INDEX refresh_tokens_by_device ON refresh_tokens (user_num, device_id);
            CREATE TABLE login_tokens (
                hash BLOB NOT NULL PRIMARY KEY,
                user_num INTEGER NOT NULL REFERENCES accounts (user_num),
                expires_ts INTEGER NOT NULL
            ) WITHOUT ROWID;
            CREATE INDEX login_tokens_by_expiry ON login_tokens (expires_ts);
            CREATE INDEX login_tokens_by_user ON login_tokens (user_num);
            -- uses_allowed and expires_ts are null without limit.
            CREATE TABLE registration_tokens (
                token TEXT NOT NULL PRIMARY KEY,
                uses_allowed INTEGER,
                uses INTEGER NOT NULL DEFAULT 0,
                expires_ts INTEGER,
                created_ts INTEGER NOT NULL
            );
            -- One user-interactive authentication each. operation: what it authorizes. parameters: what the first request
            -- asked for. completed: names of stages, separated by blanks. result: what came of it, for those who ask twice.
            CREATE TABLE interactive_sessions (
                hash BLOB NOT NULL PRIMARY KEY,
                operation TEXT NOT NULL,
                user_num INTEGER,
                parameters TEXT,
                completed TEXT NOT NULL,
                registration_token TEXT,
                result TEXT,
                expires_ts INTEGER NOT NULL
            ) WITHOUT ROWID;
            CREATE INDEX interactive_sessions_by_expiry ON interactive_sessions (expires_ts);
            -- value is a JSON text.
            CREATE TABLE profile_fields (
                user_num INTEGER NOT NULL REFERENCES users (num),
                name TEXT NOT NULL,
                value TEXT NOT NULL,
                PRIMARY KEY (user_num, name)
            ) WITHOUT ROWID;
            -- Nonces of shared-secret registration: each is good for one request.
            CREATE TABLE registration_nonces (
                nonce TEXT NOT NULL PRIMARY KEY,
                expires_ts INTEGER NOT NULL
            );
            CREATE INDEX registration_nonces_by_expiry ON registration_nonces (expires_ts);
            """
    )
}
