import Homeserver
import Matrix
import Web

/// The caller follows a thread no more. [MSC4306](https://github.com/matrix-org/matrix-spec-proposals/pull/4306)
struct DeleteThreadSubscription: Endpoint {
    static let routes: [Route] = .client(.delete, ThreadRequest.path, versions: [ThreadRequest.version])
    static let authentication: Authentication<Caller> = .required

    let rooms: RoomService

    typealias Request = ThreadRequest

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await rooms.unsubscribe(from: request.root, in: request.roomID, by: Requester(caller))
        return EmptyResponse()
    }
}
