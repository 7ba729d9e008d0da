import Homeserver
import Matrix
import Web

/// [GET /event/{eventId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1eventeventid): one event.
struct GetEvent: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/event/{eventId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let queries: RoomQueries
    let serverName: ServerName
    let clock: any Clock

    struct Request: RequestDecodable {
        let event: EventID

        init(from input: RequestInput) throws { event = try input.path("eventId") }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> HTTPResponse {
        let text = try await queries.event(request.event, for: caller.name)
        return EventLists.transaction([text], origin: serverName, now: clock.now)
    }
}
