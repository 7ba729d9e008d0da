import Database

extension Migration {
    /// Long work that administrators ask for.
    static let jobs = Migration(
        number: 31, name: "jobs",
        sql: """
            -- kind: see JobKind. subject: a room ID or a user ID, by kind. status: see JobStatus. input: what was asked for. result:
            -- what has come of it so far. Both are JSON objects. Times are milliseconds since 1970.
            CREATE TABLE jobs (
                id TEXT NOT NULL PRIMARY KEY,
                kind INTEGER NOT NULL,
                subject TEXT NOT NULL,
                status INTEGER NOT NULL,
                input BLOB NOT NULL,
                result BLOB NOT NULL,
                error TEXT,
                created_ts INTEGER NOT NULL,
                changed_ts INTEGER NOT NULL
            );
            CREATE INDEX jobs_by_subject ON jobs (subject, created_ts);
            -- Of what concerns the same, one thing at a time.
            CREATE UNIQUE INDEX jobs_unfinished ON jobs (kind, subject) WHERE status < 2;
            CREATE INDEX jobs_by_age ON jobs (changed_ts) WHERE status >= 2;
            """
    )
}
