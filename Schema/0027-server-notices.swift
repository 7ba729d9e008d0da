import Database

extension Migration {
    /// The rooms in which the server speaks to its users.
    static let serverNotices = Migration(
        number: 27, name: "server notices",
        sql: """
            CREATE TABLE server_notice_rooms (
                user_num INTEGER NOT NULL PRIMARY KEY REFERENCES users (num),
                room_num INTEGER NOT NULL UNIQUE REFERENCES rooms (num)
            );
            """)
}
