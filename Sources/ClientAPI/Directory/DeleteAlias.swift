import Homeserver
import Matrix
import Web

/// [DELETE /directory/room/{roomAlias}](https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3directoryroomroomalias): removes an
/// alias.
struct DeleteAlias: Endpoint {
    static let routes: [Route] = .client(.delete, "/directory/room/{roomAlias}")
    static let authentication: Authentication<Caller> = .required

    let directory: DirectoryService
    let rooms: RoomService

    struct Request: RequestDecodable {
        let alias: RoomAlias

        init(from input: RequestInput) throws { alias = try input.path("roomAlias") }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        let room = try await directory.remove(
            request.alias, by: caller.userID, isAdministrator: caller.isAdministrator, service: caller.appServiceID)
        let user = Requester(id: caller.userID, number: UserNumber(caller.userNumber), device: caller.deviceID)
        try await rooms.dropCanonicalAlias(request.alias, in: room, by: user)
        return EmptyResponse()
    }
}
