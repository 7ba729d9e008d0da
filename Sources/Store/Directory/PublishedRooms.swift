import Database
import Matrix

/// A room that is listed in the directory.
public struct PublishedRoom: Sendable, Hashable {
    /// Its number.
    public let number: RoomNumber
    /// Its identifier.
    public let roomID: RoomID
    /// Its current state.
    public let state: StateNumber?
}

extension RoomReader {
    /// The rooms of the directory with their states, without those that an administrator closed.
    public func publishedStates() throws -> [PublishedRoom] {
        try sql.all(
            "SELECT num, room_id, state FROM rooms WHERE published = 1 AND blocked = 0 ORDER BY num"
        ) { row in
            PublishedRoom(
                number: try row.number(0), roomID: try row.identifier(1), state: try row.numberOrNil(2))
        }
    }
}
