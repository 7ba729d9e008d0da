import Homeserver
import Matrix
import Web

/// [POST /org.matrix.simplified_msc3575/sync](https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4186-simplified-sliding-sync.md):
/// sliding sync as clients have known it from the experiment.
struct SlidingSync: Endpoint {
    static let routes: [Route] = [.post("/_matrix/client/unstable/org.matrix.simplified_msc3575/sync")]
    static let authentication = Authentication<Caller>.allowingGuests
    static let rateLimit = RateLimitClass.none
    static let isLongPoll = true

    let sync: SlidingSyncService

    struct Request: RequestDecodable {
        let body: JSONFields
        let position: String?
        let timeoutMilliseconds: Int64
        let presence: Sync.Request.Presence

        init(from input: RequestInput) throws {
            body = try input.body
            position = try input.query("pos", as: .string)
            timeoutMilliseconds = try input.query("timeout", as: .milliseconds) ?? 0
            presence = try input.query("set_presence", as: .choice) ?? .online
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> HTTPResponse {
        let user = Requester(caller)
        let form = SlidingSyncForm(form: .experimental, user: user.id)
        let rooms = try form.rooms(request.body)
        return .sync(
            try await sync.respond(
                to: SlidingSyncRequest(
                    user: user, form: .experimental, connection: try form.connection(request.body),
                    position: request.position, transaction: try request.body.optional("txn_id", as: .string),
                    timeoutMilliseconds: max(0, request.timeoutMilliseconds), presence: request.presence.rawValue,
                    lists: rooms.lists, subscriptions: rooms.subscriptions,
                    extensions: try form.extensions(request.body)
                )
            )
        )
    }
}
