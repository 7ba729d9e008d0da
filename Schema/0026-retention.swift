import Database

extension Migration {
    /// For how long rooms keep their messages.
    static let retention = Migration(
        number: 26, name: "retention",
        sql: """
            -- What m.room.retention says in the current state, in milliseconds; of rooms where it says something.
            CREATE TABLE room_retention (
                room_num INTEGER NOT NULL PRIMARY KEY,
                min_lifetime_ms INTEGER,
                max_lifetime_ms INTEGER
            );
            """)
}
