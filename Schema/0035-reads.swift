import Database

extension Migration {
    /// What users have read and downloaded, where that is to be known.
    static let reads = Migration(
        number: 35, name: "reads",
        sql: """
            -- kind: join, messages, media. subject: a room ID or an mxc URI. first and last: where a page began and ended, as tokens.
            CREATE TABLE reads (
                num INTEGER NOT NULL PRIMARY KEY,
                user_num INTEGER NOT NULL,
                time_ts INTEGER NOT NULL,
                kind TEXT NOT NULL,
                subject TEXT NOT NULL,
                first TEXT,
                last TEXT,
                device_id TEXT,
                address TEXT
            );
            CREATE INDEX reads_by_user ON reads (user_num, time_ts, num);
            CREATE INDEX reads_by_time ON reads (time_ts);
            -- day: days since 1970. stored is what is in reads; what comes beyond the day's bound is counted in omitted.
            CREATE TABLE read_days (
                user_num INTEGER NOT NULL,
                day INTEGER NOT NULL,
                stored INTEGER NOT NULL,
                omitted INTEGER NOT NULL,
                PRIMARY KEY (user_num, day)
            ) WITHOUT ROWID;
            CREATE INDEX read_days_by_day ON read_days (day);
            INSERT INTO counters (name, value) VALUES ('reads', 0);
            """
    )
}
