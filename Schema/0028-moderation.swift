import Database

extension Migration {
    /// Rooms that administrators closed, known here or not; who put files away, and which are not to be.
    static let moderation = Migration(
        number: 28, name: "closed rooms, files put away",
        sql: """
            -- rooms.blocked says the same of the rooms that are known. blocked_by: a user ID, or how else they came.
            CREATE TABLE blocked_rooms (
                room_id TEXT NOT NULL PRIMARY KEY,
                blocked_by TEXT NOT NULL,
                blocked_ts INTEGER NOT NULL
            );
            -- quarantined_by: as blocked_by; null unless quarantined. protected: not put away together with others.
            ALTER TABLE media ADD COLUMN quarantined_by TEXT;
            ALTER TABLE media ADD COLUMN protected INTEGER NOT NULL DEFAULT 0;
            """
    )
}
