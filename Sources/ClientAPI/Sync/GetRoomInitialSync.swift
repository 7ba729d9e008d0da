import Homeserver
import Matrix
import Web

/// [GET /rooms/{roomId}/initialSync](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidinitialsync), deprecated.
struct GetRoomInitialSync: Endpoint {
    static let routes = [Route].client(.get, "/rooms/{roomId}/initialSync")
    static let authentication = Authentication<Caller>.allowingGuests

    let sync: SyncService

    struct Request: RequestDecodable {
        let roomID: RoomID
        let limit: Int

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            limit = try input.query("limit", as: .count) ?? 10
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try await sync.snapshot(of: request.roomID, limit: request.limit, by: Requester(caller))
    }
}
