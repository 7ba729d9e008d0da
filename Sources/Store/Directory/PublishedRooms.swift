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
    /// Whether it is in the server's own directory, and not only in those of networks.
    public let isOfServer: Bool
}

extension RoomReader {
    /// The rooms of the directory and of the networks of application services with their states, without those that an
    /// administrator closed.
    public func publishedStates() throws -> [PublishedRoom] {
        try sql.all(
            """
            SELECT num, room_id, state, published FROM rooms
            WHERE (published = 1 OR num IN (SELECT room_num FROM app_service_rooms)) AND blocked = 0 ORDER BY num
            """
        ) { row in
            PublishedRoom(
                number: try row.number(0), roomID: try row.identifier(1), state: try row.numberOrNil(2),
                isOfServer: try row.bool(3))
        }
    }
}
