import Database

extension Migration {
    /// End-to-end encryption: keys of devices and users, signatures, key backups, messages for devices.
    static let keys = Migration(
        number: 3, name: "keys",
        sql: """
            -- What belongs to a device goes with it. json: the key as its client uploaded it.
            CREATE TABLE device_keys (
                user_num INTEGER NOT NULL,
                device_id TEXT NOT NULL,
                json BLOB NOT NULL,
                PRIMARY KEY (user_num, device_id),
                FOREIGN KEY (user_num, device_id) REFERENCES devices (user_num, device_id) ON DELETE CASCADE
            );
            -- num: the order of upload. A claimed key is kept for a while, so that a client which repeats an upload because its
            -- answer was lost does not offer the key a second time.
            CREATE TABLE one_time_keys (
                num INTEGER PRIMARY KEY AUTOINCREMENT,
                user_num INTEGER NOT NULL,
                device_id TEXT NOT NULL,
                algorithm TEXT NOT NULL,
                key_id TEXT NOT NULL,
                json BLOB NOT NULL,
                claimed_ts INTEGER,
                UNIQUE (user_num, device_id, algorithm, key_id),
                FOREIGN KEY (user_num, device_id) REFERENCES devices (user_num, device_id) ON DELETE CASCADE
            );
            CREATE INDEX one_time_keys_unclaimed ON one_time_keys (user_num, device_id, algorithm, num)
                WHERE claimed_ts IS NULL;
            CREATE INDEX one_time_keys_claimed ON one_time_keys (user_num, device_id, claimed_ts)
                WHERE claimed_ts IS NOT NULL;
            CREATE TABLE fallback_keys (
                user_num INTEGER NOT NULL,
                device_id TEXT NOT NULL,
                algorithm TEXT NOT NULL,
                key_id TEXT NOT NULL,
                json BLOB NOT NULL,
                used INTEGER NOT NULL DEFAULT 0,
                PRIMARY KEY (user_num, device_id, algorithm),
                FOREIGN KEY (user_num, device_id) REFERENCES devices (user_num, device_id) ON DELETE CASCADE
            );
            -- usage: see CrossSigningUsage. public_key: unpadded Base64.
            CREATE TABLE cross_signing_keys (
                user_num INTEGER NOT NULL REFERENCES users (num),
                usage INTEGER NOT NULL,
                public_key TEXT NOT NULL,
                json BLOB NOT NULL,
                PRIMARY KEY (user_num, usage)
            );
            -- Signatures uploaded after what they sign. signer_key: algorithm and name. target_key: a device or a public key.
            CREATE TABLE key_signatures (
                target_num INTEGER NOT NULL REFERENCES users (num),
                target_key TEXT NOT NULL,
                signer_num INTEGER NOT NULL REFERENCES users (num),
                signer_key TEXT NOT NULL,
                signature TEXT NOT NULL,
                PRIMARY KEY (target_num, target_key, signer_num, signer_key)
            ) WITHOUT ROWID;
            CREATE INDEX key_signatures_by_signer ON key_signatures (signer_num, signer_key);
            -- The last time that the devices or keys of user_num changed in the eyes of viewer_num; 0: of everyone.
            CREATE TABLE device_list_changes (
                user_num INTEGER NOT NULL REFERENCES users (num),
                viewer_num INTEGER NOT NULL,
                position INTEGER NOT NULL,
                PRIMARY KEY (user_num, viewer_num)
            ) WITHOUT ROWID;
            CREATE INDEX device_list_changes_by_position ON device_list_changes (viewer_num, position);
            -- etag counts the changes, count the sessions. Deleted ones stay, so that no version is given out twice.
            CREATE TABLE key_backups (
                user_num INTEGER NOT NULL REFERENCES users (num),
                version INTEGER NOT NULL,
                algorithm TEXT NOT NULL,
                auth_data BLOB NOT NULL,
                etag INTEGER NOT NULL DEFAULT 0,
                session_count INTEGER NOT NULL DEFAULT 0,
                deleted INTEGER NOT NULL DEFAULT 0,
                PRIMARY KEY (user_num, version)
            );
            -- json: the session as its client uploaded it, from which the other columns are taken.
            CREATE TABLE key_backup_sessions (
                user_num INTEGER NOT NULL,
                version INTEGER NOT NULL,
                room_id TEXT NOT NULL,
                session_id TEXT NOT NULL,
                is_verified INTEGER NOT NULL,
                first_message_index INTEGER NOT NULL,
                forwarded_count INTEGER NOT NULL,
                json BLOB NOT NULL,
                PRIMARY KEY (user_num, version, room_id, session_id),
                FOREIGN KEY (user_num, version) REFERENCES key_backups (user_num, version)
            );
            -- Messages that wait until their device has acknowledged them. content: as the client gets it.
            CREATE TABLE to_device (
                user_num INTEGER NOT NULL,
                device_id TEXT NOT NULL,
                position INTEGER NOT NULL,
                content BLOB NOT NULL,
                PRIMARY KEY (user_num, device_id, position),
                FOREIGN KEY (user_num, device_id) REFERENCES devices (user_num, device_id) ON DELETE CASCADE
            );
            -- Which requests to send messages to devices were carried out, for a while. A retransmission has the same type and
            -- txn_id. device_id is empty for an application service that acts without a device.
            CREATE TABLE to_device_transactions (
                user_num INTEGER NOT NULL,
                device_id TEXT NOT NULL,
                type TEXT NOT NULL,
                txn_id TEXT NOT NULL,
                done_ts INTEGER NOT NULL,
                PRIMARY KEY (user_num, device_id, type, txn_id)
            ) WITHOUT ROWID;
            CREATE INDEX to_device_transactions_by_age ON to_device_transactions (done_ts);
            """
    )
}
