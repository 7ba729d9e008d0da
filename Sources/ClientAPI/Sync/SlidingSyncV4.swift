import Homeserver
import Matrix
import Web

/// [POST /v4/sync](https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4186-simplified-sliding-sync.md#api): sliding sync
/// as it was accepted.
struct SlidingSyncV4: Endpoint {
    static let routes: [Route] = [.post("/_matrix/client/v4/sync")]
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
            position = try body.optional("pos", as: .string)
            timeoutMilliseconds = try body.optional("timeout", as: .int) ?? 0
            let name = try body.optional("set_presence", as: .string) ?? Sync.Request.Presence.online.rawValue
            guard let presence = Sync.Request.Presence(rawValue: name) else {
                throw MatrixError.invalidParameter("set_presence must be offline, online or unavailable")
            }
            self.presence = presence
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> HTTPResponse {
        let user = Requester(caller)
        let form = SlidingSyncForm(form: .accepted, user: user.id)
        let rooms = try form.rooms(request.body)
        return .sync(
            try await sync.respond(
                to: SlidingSyncRequest(
                    user: user, form: .accepted, connection: try form.connection(request.body),
                    position: request.position, transaction: nil,
                    timeoutMilliseconds: max(0, request.timeoutMilliseconds), presence: request.presence.rawValue,
                    lists: rooms.lists, subscriptions: rooms.subscriptions,
                    extensions: try form.extensions(request.body)
                )
            )
        )
    }
}
