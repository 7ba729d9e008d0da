import Database

extension Migration {
    /// The meetings of rooms at conference services, and who is in them.
    static let meetings = Migration(
        number: 29, name: "meetings",
        sql: """
            -- A room has one meeting at a service, for good. meeting_id, url: null until the service has made it. known: the newest
            -- meetings that the service had when it was asked to make this one; null if it was not asked, or has answered. claim,
            -- claimed_until_ts: who is about to make or announce it. started_by, started_ts: of the last call; ended_ts: null while
            -- it is under way. ends_ts: when the call is ended by the server. calls: how many there have been. events: those that
            -- announced the call, by what they are: a JSON object. recordings: a JSON array.
            CREATE TABLE meetings (
                room_num INTEGER NOT NULL REFERENCES rooms (num),
                service TEXT NOT NULL,
                call_id TEXT NOT NULL UNIQUE,
                meeting_id TEXT,
                url TEXT,
                access_level TEXT NOT NULL,
                known TEXT,
                claim TEXT,
                claimed_until_ts INTEGER,
                started_by INTEGER REFERENCES users (num),
                started_ts INTEGER,
                ends_ts INTEGER,
                ended_ts INTEGER,
                end_reason TEXT,
                is_video INTEGER NOT NULL DEFAULT 1,
                calls INTEGER NOT NULL DEFAULT 0,
                events TEXT,
                recordings TEXT,
                PRIMARY KEY (room_num, service)
            );
            CREATE UNIQUE INDEX meetings_by_name ON meetings (service, meeting_id);
            CREATE INDEX meetings_by_end ON meetings (ends_ts);
            CREATE INDEX meetings_by_starter ON meetings (started_by);
            CREATE TABLE meeting_participants (
                room_num INTEGER NOT NULL,
                service TEXT NOT NULL,
                identity TEXT NOT NULL,
                name TEXT NOT NULL,
                joined_ts INTEGER NOT NULL,
                PRIMARY KEY (room_num, service, identity),
                FOREIGN KEY (room_num, service) REFERENCES meetings (room_num, service) ON DELETE CASCADE
            );
            -- What conference services have told, so that it is not heard twice.
            CREATE TABLE conference_reports (
                service TEXT NOT NULL,
                report_id TEXT NOT NULL,
                received_ts INTEGER NOT NULL,
                PRIMARY KEY (service, report_id)
            );
            CREATE INDEX conference_reports_by_time ON conference_reports (received_ts);
            """)
}
