import Matrix
import Web

/// A thread in the path.
struct ThreadRequest: RequestDecodable {
    static let path = "/rooms/{roomId}/thread/{eventId}/subscription"
    static let version = "unstable/io.element.msc4306"

    let roomID: RoomID
    let root: EventID

    init(from input: RequestInput) throws {
        roomID = try input.path("roomId")
        root = try input.path("eventId")
    }
}
