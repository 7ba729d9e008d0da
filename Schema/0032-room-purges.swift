import Database

extension Migration {
    /// Rooms that are being removed.
    static let roomPurges = Migration(
        number: 32, name: "room purges",
        sql: """
            -- A room that this server knows no more, of which there still is something. room_num: the number that it had; its row in
            -- rooms goes last, and has another name until then. room_id: its name. step: see RoomPurge.Step; place: how far that has
            -- come. first_position: the journal says nothing of it before. events: how many there were; removed: how many are gone.
            CREATE TABLE room_purges (
                room_num INTEGER NOT NULL PRIMARY KEY,
                room_id TEXT NOT NULL UNIQUE,
                step INTEGER NOT NULL,
                place INTEGER NOT NULL,
                first_position INTEGER NOT NULL,
                events INTEGER NOT NULL,
                removed INTEGER NOT NULL
            );
            -- What belongs to a room is found by the room.
            CREATE INDEX account_data_by_room ON account_data (room_num) WHERE room_num > 0;
            CREATE INDEX unread_counts_by_room ON unread_counts (room_num);
            CREATE INDEX thread_subscriptions_by_room ON thread_subscriptions (room_num);
            CREATE INDEX pending_redactions_by_redaction ON pending_redactions (redaction_num);
            """
    )
}
