import Database

extension Migration {
    /// The keys by which other servers sign, and the documents that they came in.
    static let serverKeys = Migration(
        number: 7, name: "server-keys",
        sql: """
            -- valid_until_ts: signatures of up to then count. is_old: the server uses the key no longer; then only events' count.
            -- is_direct: the server itself said so; else a notary did. fetched_ts: when.
            CREATE TABLE server_keys (
                server_name TEXT NOT NULL,
                key_id TEXT NOT NULL,
                public_key BLOB NOT NULL CHECK (length(public_key) = 32),
                valid_until_ts INTEGER NOT NULL,
                is_old INTEGER NOT NULL,
                is_direct INTEGER NOT NULL,
                fetched_ts INTEGER NOT NULL,
                PRIMARY KEY (server_name, key_id)
            ) WITHOUT ROWID;
            -- The last document of each server that it gave out itself: what this server gives out as a notary. valid_until_ts: as
            -- the server has it.
            CREATE TABLE server_key_documents (
                server_name TEXT NOT NULL PRIMARY KEY,
                document BLOB NOT NULL,
                valid_until_ts INTEGER NOT NULL,
                fetched_ts INTEGER NOT NULL
            );
            CREATE INDEX server_key_documents_by_age ON server_key_documents (fetched_ts);
            """)
}
