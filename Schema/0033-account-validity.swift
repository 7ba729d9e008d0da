import Database

extension Migration {
    /// Until when accounts are valid.
    static let accountValidity = Migration(
        number: 33, name: "account validity",
        sql: """
            -- An account without a row is valid for ever. sends_mail: whether its user is reminded. reminders: how many of those before
            -- this end are done with. due_ts: when something is to be done next; null once it has ended. token_hash: of what renews it,
            -- kept after use, so that whoever opens a link twice is told what became of it.
            CREATE TABLE account_validity (
                user_num INTEGER NOT NULL PRIMARY KEY REFERENCES accounts (user_num),
                expires_ts INTEGER NOT NULL,
                sends_mail INTEGER NOT NULL DEFAULT 1,
                reminders INTEGER NOT NULL DEFAULT 0,
                due_ts INTEGER,
                token_hash BLOB,
                token_used_ts INTEGER
            );
            CREATE INDEX account_validity_by_due ON account_validity (due_ts) WHERE due_ts IS NOT NULL;
            CREATE UNIQUE INDEX account_validity_by_token ON account_validity (token_hash) WHERE token_hash IS NOT NULL;
            """
    )
}
