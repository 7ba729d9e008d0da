import Homeserver
import Matrix
import Web

/// The caller follows a thread. [MSC4306](https://github.com/matrix-org/matrix-spec-proposals/pull/4306)
struct SetThreadSubscription: Endpoint {
    static let routes: [Route] = .client(.put, ThreadRequest.path, versions: [ThreadRequest.version])
    static let authentication: Authentication<Caller> = .required

    let rooms: RoomService

    struct Request: RequestDecodable {
        let thread: ThreadRequest
        let cause: EventID?

        init(from input: RequestInput) throws {
            thread = try ThreadRequest(from: input)
            cause = try input.body.optional("automatic", as: .identifier)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await rooms.subscribe(
            to: request.thread.root, in: request.thread.roomID, because: request.cause, by: Requester(caller))
        return EmptyResponse()
    }
}
