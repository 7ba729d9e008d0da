import Database

extension Migration {
    /// Does without an index of rooms that every event moved and nothing was found by.
    static let leanRooms = Migration(number: 20, name: "lean rooms", sql: "DROP INDEX rooms_by_position;")
}
