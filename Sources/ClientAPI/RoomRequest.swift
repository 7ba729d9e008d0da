import Matrix
import Web

/// A request that says nothing but which room it is about.
struct RoomRequest: RequestDecodable {
    let roomID: RoomID

    init(from input: RequestInput) throws { roomID = try input.path("roomId") }
}
