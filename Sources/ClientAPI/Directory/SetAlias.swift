import Homeserver
import Matrix
import Web

/// [PUT /directory/room/{roomAlias}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3directoryroomroomalias): makes an alias.
struct SetAlias: Endpoint {
    static let routes: [Route] = .client(.put, "/directory/room/{roomAlias}")
    static let authentication: Authentication<Caller> = .required

    let directory: DirectoryService

    struct Request: RequestDecodable {
        let alias: RoomAlias
        let room: RoomID

        init(from input: RequestInput) throws {
            alias = try input.path("roomAlias")
            let text = try input.body.required("room_id", as: .string)
            guard let room = RoomID(text) else { throw MatrixError.invalidParameter("room_id is not a room ID") }
            self.room = room
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await directory.create(
            request.alias, for: request.room, by: caller.userID, service: caller.appServiceID)
        return EmptyResponse()
    }
}
