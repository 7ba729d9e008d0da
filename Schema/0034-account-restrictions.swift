import Database

extension Migration {
    /// What administrators hold accounts to, and as whom others know them.
    static let accountRestrictions = Migration(
        number: 34, name: "shadow bans, rate limits of users, external identifiers",
        sql: """
            ALTER TABLE accounts ADD COLUMN is_shadow_banned INTEGER NOT NULL DEFAULT 0;
            -- Takes the place of the configured limits for what users do; 0 a second: no limit.
            CREATE TABLE user_rate_limits (
                user_num INTEGER NOT NULL PRIMARY KEY REFERENCES accounts (user_num),
                per_second INTEGER NOT NULL,
                burst INTEGER NOT NULL
            );
            -- Who somebody is to a service where users sign in.
            CREATE TABLE external_ids (
                provider TEXT NOT NULL,
                external_id TEXT NOT NULL,
                user_num INTEGER NOT NULL REFERENCES accounts (user_num),
                PRIMARY KEY (provider, external_id)
            ) WITHOUT ROWID;
            CREATE INDEX external_ids_by_user ON external_ids (user_num, provider, external_id);
            -- Who may replace their cross-signing keys without showing again who they are, and until when.
            CREATE TABLE key_replacements (
                user_num INTEGER NOT NULL PRIMARY KEY REFERENCES accounts (user_num),
                until_ts INTEGER NOT NULL
            );
            """
    )
}
