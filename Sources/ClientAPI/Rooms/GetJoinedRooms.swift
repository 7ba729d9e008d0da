import Homeserver
import Matrix
import Web

/// [GET /joined_rooms](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3joined_rooms)
struct GetJoinedRooms: Endpoint {
    static let routes = [Route].client(.get, "/joined_rooms")
    static let authentication = Authentication<Caller>.allowingGuests

    let rooms: RoomService

    func handle(_ request: NoInput, caller: Caller) async throws -> JSONValue {
        let joined = try await rooms.joinedRooms(of: Requester(caller))
        return ["joined_rooms": .array(joined.map { .string($0.string) })]
    }
}
