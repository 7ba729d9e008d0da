import Homeserver
import Matrix
import Web

/// [POST /delayed_events/{delay_id}/{action}](https://github.com/matrix-org/matrix-spec-proposals/pull/4140), the action in the path.
/// Without a token, as ``UpdateDelayedEvent``.
struct ActOnDelayedEvent: Endpoint {
    static let routes = [Route].client(
        .post, "/delayed_events/{delayId}/{action}", versions: ["unstable/org.matrix.msc4140"])
    static let authentication = Authentication<Anonymous>.none

    let delayed: DelayedEventService

    struct Request: RequestDecodable {
        let id: String
        let action: DelayedEventService.Action

        init(from input: RequestInput) throws {
            id = try input.path("delayId")
            guard let action = DelayedEventService.Action(rawValue: try input.path("action")) else {
                throw MatrixError.unrecognized
            }
            self.action = action
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> EmptyResponse {
        try await delayed.update(request.id, request.action)
        return EmptyResponse()
    }
}
