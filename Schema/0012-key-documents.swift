import Database

extension Migration {
    /// More than one document of a server: a key that its server names no more can still be had here.
    static let keyDocuments = Migration(
        number: 12, name: "several key documents of a server",
        sql: """
            -- The documents of each server that it gave out itself: what this server gives out as a notary. Of those that name the same
            -- keys, the last. key_ids: the names of the keys in it, sorted. valid_until_ts: as the server has it.
            CREATE TABLE server_key_documents_by_keys (
                server_name TEXT NOT NULL,
                key_ids TEXT NOT NULL,
                document BLOB NOT NULL,
                valid_until_ts INTEGER NOT NULL,
                fetched_ts INTEGER NOT NULL,
                PRIMARY KEY (server_name, key_ids)
            );
            INSERT INTO server_key_documents_by_keys (server_name, key_ids, document, valid_until_ts, fetched_ts)
                SELECT server_name, '', document, valid_until_ts, fetched_ts FROM server_key_documents;
            DROP TABLE server_key_documents;
            ALTER TABLE server_key_documents_by_keys RENAME TO server_key_documents;
            CREATE INDEX server_key_documents_by_age ON server_key_documents (fetched_ts);
            """)
}
