import Homeserver
import Matrix
import Web

/// [POST /rtc/livekit/get_token](https://github.com/matrix-org/matrix-spec-proposals/pull/4195): lets a user of this server into a call on its
/// LiveKit, by their access token.
struct GetOwnLiveKitToken: Endpoint {
    static let routes: [Route] =
        .client(.post, "/rtc/livekit/get_token", versions: ["v1", "unstable/org.matrix.msc4195"])
    static let authentication: Authentication<Caller> = .required

    let liveKit: LiveKitAuthorization
    let serverName: ServerName

    struct Request: RequestDecodable {
        let server: ServerName?
        let own: OwnSeat

        init(from input: RequestInput) throws {
            server = try input.body.optional("server_name", as: .identifier)
            own = try OwnSeat(input.body)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> LiveKitAnswer {
        try caller.checkNotSuspended()
        if let server = request.server, server != serverName {
            throw MatrixError.notFound("This server does not ask others for their LiveKit; ask \(server) yourself")
        }
        return LiveKitAnswer(try await liveKit.admit(caller.userID, to: request.own.seat, delay: nil))
    }
}

/// [POST /rtc/livekit/delegate_delayed_leave](https://github.com/matrix-org/matrix-spec-proposals/pull/4195): ``DelegateDelayedLeave`` by an
/// access token.
struct DelegateOwnDelayedLeave: Endpoint {
    static let routes: [Route] =
        .client(.post, "/rtc/livekit/delegate_delayed_leave", versions: ["v1", "unstable/org.matrix.msc4195"])
    static let authentication: Authentication<Caller> = .required

    let liveKit: LiveKitAuthorization

    struct Request: RequestDecodable {
        let own: OwnSeat
        let delay: String

        init(from input: RequestInput) throws {
            own = try OwnSeat(input.body)
            delay = try LiveKitRequest.text(input.body, "delay_id")
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await liveKit.delegate(request.delay, of: caller.userID, in: request.own.seat)
        return EmptyResponse()
    }
}

/// A seat of whoever asks.
struct OwnSeat: Sendable {
    let seat: LiveKitAuthorization.Seat

    init(_ body: JSONFields) throws {
        let member = try LiveKitRequest.object(body, "member")
        seat = LiveKitAuthorization.Seat(
            room: try LiveKitRequest.room(body, "room_id"), slot: try LiveKitRequest.text(body, "slot_id"),
            device: try LiveKitRequest.text(member, "claimed_device_id"), member: try LiveKitRequest.text(member, "id"))
    }
}
