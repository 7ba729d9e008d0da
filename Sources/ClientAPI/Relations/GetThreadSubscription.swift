import Homeserver
import Matrix
import Web

/// Whether the caller follows a thread. [MSC4306](https://github.com/matrix-org/matrix-spec-proposals/pull/4306)
struct GetThreadSubscription: Endpoint {
    static let routes: [Route] = .client(.get, ThreadRequest.path, versions: [ThreadRequest.version])
    static let authentication: Authentication<Caller> = .required

    let rooms: RoomService

    typealias Request = ThreadRequest

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        let isAutomatic = try await rooms.isSubscribedAutomatically(
            to: request.root, in: request.roomID, by: Requester(caller))
        return ["automatic": .bool(isAutomatic)]
    }
}
