import Database

extension Migration {
    /// Files that users upload, the bytes behind them, and their thumbnails.
    static let media = Migration(
        number: 5, name: "media",
        sql: """
            -- The same bytes are kept once. name: where the blob store has them, never used for other bytes again. refs: how
            -- many rows of media and media_thumbnails point here; the last one to go takes the row along.
            CREATE TABLE blobs (
                sha256 BLOB NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),
                name TEXT NOT NULL UNIQUE,
                size INTEGER NOT NULL CHECK (size >= 0),
                refs INTEGER NOT NULL CHECK (refs > 0)
            );
            -- Blobs that no row of blobs names: not yet, or no longer. They are deleted from due_ts on, unless they have been
            -- taken into blobs by then.
            CREATE TABLE blob_orphans (
                name TEXT NOT NULL PRIMARY KEY,
                due_ts INTEGER NOT NULL
            );
            CREATE INDEX blob_orphans_by_due ON blob_orphans (due_ts);
            -- origin: the server in the mxc URI. uploader_num: null for what was fetched from another server. sha256 is null and
            -- expires_ts is set for a URI that was given out and not used yet.
            CREATE TABLE media (
                num INTEGER PRIMARY KEY AUTOINCREMENT,
                origin TEXT NOT NULL,
                media_id TEXT NOT NULL,
                uploader_num INTEGER REFERENCES users (num),
                content_type TEXT,
                upload_name TEXT,
                created_ts INTEGER NOT NULL,
                sha256 BLOB REFERENCES blobs (sha256),
                expires_ts INTEGER,
                quarantined INTEGER NOT NULL DEFAULT 0,
                UNIQUE (origin, media_id),
                CHECK ((sha256 IS NULL) = (expires_ts IS NOT NULL))
            );
            CREATE INDEX media_by_uploader ON media (uploader_num, created_ts);
            CREATE INDEX media_by_blob ON media (sha256);
            CREATE INDEX media_by_expiry ON media (expires_ts) WHERE expires_ts IS NOT NULL;
            -- width and height: what was asked for, not what it came to. method: see ThumbnailMethod. animated: whether frames
            -- were asked for.
            CREATE TABLE media_thumbnails (
                media_num INTEGER NOT NULL REFERENCES media (num),
                width INTEGER NOT NULL,
                height INTEGER NOT NULL,
                method INTEGER NOT NULL,
                animated INTEGER NOT NULL,
                content_type TEXT NOT NULL,
                sha256 BLOB NOT NULL REFERENCES blobs (sha256),
                PRIMARY KEY (media_num, width, height, method, animated)
            ) WITHOUT ROWID;
            CREATE INDEX media_thumbnails_by_blob ON media_thumbnails (sha256);
            """)
}
