import Database

extension Migration {
    /// What administrators did and who signed in, in a chain that shows what is taken out of it.
    static let audit = Migration(
        number: 21, name: "audit",
        sql: """
            -- num: without gaps, from 1. entry: a JSON text, of which time_ts, action, actor and subject are copies to search by.
            -- hash: SHA-256 of the hash before (32 zeros before the first) and entry. signature: of hash, by the server's key key_id.
            CREATE TABLE audit (
                num INTEGER NOT NULL PRIMARY KEY,
                time_ts INTEGER NOT NULL,
                action TEXT NOT NULL,
                actor TEXT NOT NULL,
                subject TEXT,
                entry BLOB NOT NULL,
                hash BLOB NOT NULL,
                key_id TEXT NOT NULL,
                signature BLOB NOT NULL
            );
            CREATE INDEX audit_by_subject ON audit (subject, num) WHERE subject IS NOT NULL;
            CREATE INDEX audit_by_actor ON audit (actor, num);
            INSERT INTO counters (name, value) VALUES ('audit', 0);
            """
    )
}
