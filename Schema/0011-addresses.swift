import Database

extension Migration {
    /// What mail addresses need to be used up with what they prove, and not to be flooded.
    static let addresses = Migration(
        number: 11, name: "proofs of addresses, mail sent",
        sql: """
            -- The proof that was shown, by its sid. It is used up by what it authorizes, not by being shown.
            ALTER TABLE interactive_sessions RENAME COLUMN address TO address_proof;
            -- An address that was added without asking for the password again must not replace the password.
            ALTER TABLE account_addresses ADD COLUMN resets_password INTEGER NOT NULL DEFAULT 1;

            -- How many mails went to an address since when: nobody's mailbox is filled through this server.
            CREATE TABLE address_mails (
                address TEXT NOT NULL PRIMARY KEY,
                since_ts INTEGER NOT NULL,
                mails INTEGER NOT NULL
            );
            CREATE INDEX address_mails_by_time ON address_mails (since_ts);
            """
    )
}
