import Database

extension Migration {
    /// What identity servers were asked to tell of this server's users; and when users were last sent mail about what they have not read.
    static let identityBindings = Migration(
        number: 23, name: "identity bindings",
        sql: """
            -- server: the name under which the configuration has the identity server. ending_ts: since when the binding is to end, null
            -- as long as it is wanted.
            CREATE TABLE identity_bindings (
                user_num INTEGER NOT NULL REFERENCES users (num),
                medium TEXT NOT NULL,
                address TEXT NOT NULL,
                server TEXT NOT NULL,
                bound_ts INTEGER NOT NULL,
                ending_ts INTEGER,
                PRIMARY KEY (user_num, medium, address, server)
            ) WITHOUT ROWID;
            CREATE INDEX identity_bindings_ending ON identity_bindings (ending_ts) WHERE ending_ts IS NOT NULL;
            -- Pushers that send mail. sent_ts: when the last one went. pause_ms: how long the next one waits at least.
            CREATE TABLE mail_pushers (
                user_num INTEGER NOT NULL,
                app_id TEXT NOT NULL,
                push_key TEXT NOT NULL,
                sent_ts INTEGER NOT NULL,
                pause_ms INTEGER NOT NULL,
                PRIMARY KEY (user_num, app_id, push_key),
                FOREIGN KEY (user_num, app_id, push_key) REFERENCES pushers (user_num, app_id, push_key) ON DELETE CASCADE
            );
            """)
}
