import Database

extension Migration {
    /// What other servers have told: their transactions, the devices of their users; and what they may ask of ours.
    static let federationInbound = Migration(
        number: 9, name: "federation-inbound",
        sql: """
            -- The last transactions of each server and what they were answered, for servers that did not hear the answer.
            CREATE TABLE received_transactions (
                origin TEXT NOT NULL,
                txn_id TEXT NOT NULL,
                received_ts INTEGER NOT NULL,
                response BLOB NOT NULL,
                PRIMARY KEY (origin, txn_id)
            ) WITHOUT ROWID;
            CREATE INDEX received_transactions_by_age ON received_transactions (origin, received_ts);
            CREATE INDEX received_transactions_by_time ON received_transactions (received_ts);
            -- Messages for devices that have been delivered, for a while: a server may send one more than once.
            CREATE TABLE received_device_messages (
                num INTEGER PRIMARY KEY AUTOINCREMENT,
                origin TEXT NOT NULL,
                message_id TEXT NOT NULL,
                received_ts INTEGER NOT NULL,
                UNIQUE (origin, message_id)
            );
            CREATE INDEX received_device_messages_by_origin ON received_device_messages (origin, num);
            CREATE INDEX received_device_messages_by_time ON received_device_messages (received_ts);

            -- What is known of the devices of users of other servers. stream_ids: the last updates that are in it, newest last.
            -- fresh_position: the end of the journal when the list was asked for; it has been kept up to date since. Null: something
            -- is missing. retry_ts: when it is to be asked for again. generation counts what has been heard of the list.
            CREATE TABLE remote_device_lists (
                user_num INTEGER NOT NULL PRIMARY KEY REFERENCES users (num),
                stream_ids TEXT NOT NULL,
                fresh_position INTEGER,
                fetched_ts INTEGER NOT NULL DEFAULT 0,
                retry_ts INTEGER,
                failures INTEGER NOT NULL DEFAULT 0,
                generation INTEGER NOT NULL DEFAULT 0,
                master_key BLOB,
                self_signing_key BLOB
            );
            CREATE INDEX remote_device_lists_by_retry ON remote_device_lists (retry_ts) WHERE retry_ts IS NOT NULL;
            -- keys is null for a device that has none.
            CREATE TABLE remote_devices (
                user_num INTEGER NOT NULL REFERENCES remote_device_lists (user_num) ON DELETE CASCADE,
                device_id TEXT NOT NULL,
                display_name TEXT,
                keys BLOB,
                PRIMARY KEY (user_num, device_id)
            );

            -- Tokens by which users prove to others who they are.
            CREATE TABLE openid_tokens (
                hash BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
                user_num INTEGER NOT NULL REFERENCES users (num),
                expires_ts INTEGER NOT NULL
            );
            CREATE INDEX openid_tokens_by_expiry ON openid_tokens (expires_ts);
            CREATE INDEX openid_tokens_by_user ON openid_tokens (user_num);

            CREATE INDEX events_by_time ON events (room_num, origin_server_ts) WHERE position IS NOT NULL;
            """)
}
