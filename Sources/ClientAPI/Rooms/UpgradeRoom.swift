import Homeserver
import Matrix
import Web

/// [POST /rooms/{roomId}/upgrade](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidupgrade)
struct UpgradeRoom: Endpoint {
    static let routes = [Route].client(.post, "/rooms/{roomId}/upgrade")
    static let authentication = Authentication<Caller>.required

    let rooms: RoomService

    struct Request: RequestDecodable {
        let roomID: RoomID
        let version: RoomVersion
        let additionalCreators: [UserID]

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            let id = try input.body.required("new_version", as: .string)
            guard let version = RoomVersion(id: id) else {
                throw MatrixError(400, .unsupportedRoomVersion, "This server does not know room version \(id)")
            }
            self.version = version
            additionalCreators = try input.body.optional("additional_creators", as: .array(of: .identifier)) ?? []
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try caller.checkNotSuspended()
        let replacement = try await rooms.upgrade(
            request.roomID, to: request.version, additionalCreators: request.additionalCreators, by: Requester(caller)
        )
        return ["replacement_room": .string(replacement.string)]
    }
}
