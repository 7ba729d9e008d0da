import Homeserver
import Matrix
import Web

/// [POST /delayed_events/{delay_id}](https://github.com/matrix-org/matrix-spec-proposals/pull/4140), the action in the body.
///
/// Without a token: the name is the secret, so that a service which watches over a client can act for it.
struct UpdateDelayedEvent: Endpoint {
    static let routes = [Route].client(.post, "/delayed_events/{delayId}", versions: ["unstable/org.matrix.msc4140"])
    static let authentication = Authentication<Anonymous>.none

    let delayed: DelayedEventService

    struct Request: RequestDecodable {
        let id: String
        let action: DelayedEventService.Action

        init(from input: RequestInput) throws {
            id = try input.path("delayId")
            action = try input.body.required("action", as: .choice)
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> EmptyResponse {
        try await delayed.update(request.id, request.action)
        return EmptyResponse()
    }
}
