import Homeserver
import Matrix
import Web

/// [PUT /directory/list/appservice/{networkId}/{roomId}](https://spec.matrix.org/v1.19/application-service-api/#put_matrixclientv3directorylistappservicenetworkidroomid):
/// an application service lists a room as one of a network, or no longer.
struct SetNetworkVisibility: Endpoint {
    static let routes: [Route] = .client(.put, "/directory/list/appservice/{networkId}/{roomId}")
    static let authentication: Authentication<Caller> = .required

    let directory: DirectoryService

    struct Request: RequestDecodable {
        let network: String
        let room: RoomID
        let isPublic: Bool

        init(from input: RequestInput) throws {
            network = try input.path("networkId")
            room = try input.path("roomId")
            let visibility: SetRoomVisibility.Visibility = try input.body.required("visibility", as: .choice)
            isPublic = visibility == .public
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        let service = try caller.requireAppService()
        try await directory.setPublished(
            request.isPublic, request.room, in: AppServiceNetwork(service: service, name: request.network))
        return EmptyResponse()
    }
}

/// `DELETE /directory/list/appservice/{networkId}/{roomId}`: the same as making it private, of before that was specified.
struct RemoveNetworkVisibility: Endpoint {
    static let routes: [Route] = .client(.delete, "/directory/list/appservice/{networkId}/{roomId}")
    static let authentication: Authentication<Caller> = .required

    let directory: DirectoryService

    struct Request: RequestDecodable {
        let network: String
        let room: RoomID

        init(from input: RequestInput) throws {
            network = try input.path("networkId")
            room = try input.path("roomId")
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        let service = try caller.requireAppService()
        try await directory.setPublished(
            false, request.room, in: AppServiceNetwork(service: service, name: request.network))
        return EmptyResponse()
    }
}
