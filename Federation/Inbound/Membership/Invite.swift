import Homeserver
import Matrix
import Web

/// [PUT /v2/invite/{roomId}/{eventId}](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2inviteroomideventid):
/// invites a user of this server.
struct Invite: Endpoint {
    static let routes: [Route] = [.put("/_matrix/federation/v2/invite/{roomId}/{eventId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let rooms: RoomService
    let limiter: RateLimiter

    struct Request: RequestDecodable {
        let roomID: RoomID
        let eventID: EventID
        let event: JSON
        let version: String
        let state: [JSON]

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            eventID = try input.path("eventId")
            let body = try input.body
            event = try body.required("event", as: .rawObject)
            version = try body.required("room_version", as: .string)
            state = try body.optional("invite_room_state", as: .rawArray).map { Array($0.elements.prefix(100)) } ?? []
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> SignedInvite {
        guard let version = RoomVersion(id: request.version) else {
            throw MatrixError(
                400, .incompatibleRoomVersion, "This server does not know rooms of version \(request.version)",
                extra: ["room_version": .string(request.version)])
        }
        try limiter.admitInvitation(request.event, to: request.roomID)
        let event = try await rooms.takeInvite(
            request.event, id: request.eventID, in: request.roomID, version: version, strippedState: request.state,
            from: caller.name)
        return SignedInvite(event: event, isFirstVersion: false)
    }
}

/// [PUT /v1/invite/{roomId}/{eventId}](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1inviteroomideventid):
/// the same for rooms of the first two versions, as servers of old ask for it.
struct InviteFirstVersion: Endpoint {
    static let routes: [Route] = [.put("/_matrix/federation/v1/invite/{roomId}/{eventId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let rooms: RoomService
    let limiter: RateLimiter

    typealias Request = MembershipHandover

    func handle(_ request: MembershipHandover, caller: RemoteServer) async throws -> SignedInvite {
        try limiter.admitInvitation(request.event, to: request.roomID)
        let state = request.event["unsigned"]?["invite_room_state"]?.elements.prefix(100)
        let event = try await rooms.takeInvite(
            request.event, id: request.eventID, in: request.roomID, version: .v1,
            strippedState: state.map { Array($0) } ?? [], from: caller.name)
        return SignedInvite(event: event, isFirstVersion: true)
    }
}

extension RateLimiter {
    /// Counts an invitation that another server brings.
    ///
    /// - Throws: ``MatrixError`` 429 with `retry_after_ms`.
    fileprivate func admitInvitation(_ event: JSON, to room: RoomID) throws {
        guard let sender = event["sender"]?.string, let target = event["state_key"]?.string.flatMap({ UserID($0) })
        else { return }
        try admitInvitations(of: [target], to: room, by: .named(ExactString(sender)))
    }
}

/// An invite with this server's signature.
struct SignedInvite: ResponseEncodable {
    let event: Event
    let isFirstVersion: Bool

    func encode(into encoder: inout ResponseEncoder) {
        if isFirstVersion {
            encoder.json.beginArray()
            encoder.json.write(200)
        }
        encoder.json.beginObject()
        encoder.json.key("event")
        encoder.json.writeRaw(event.bytes)
        encoder.json.endObject()
        if isFirstVersion { encoder.json.endArray() }
    }
}
