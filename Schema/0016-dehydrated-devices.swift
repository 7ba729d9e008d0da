import Database

extension Migration {
    /// A device of each user that is kept encrypted on the server and collects keys while no other is there.
    static let dehydratedDevices = Migration(
        number: 16, name: "dehydrated devices",
        sql: """
            -- device_data: the text of a JSON object, which only the user's clients can make sense of.
            CREATE TABLE dehydrated_devices (
                user_num INTEGER PRIMARY KEY,
                device_id TEXT NOT NULL,
                device_data TEXT NOT NULL,
                FOREIGN KEY (user_num, device_id) REFERENCES devices (user_num, device_id) ON DELETE CASCADE
            );
            """)
}
