import Homeserver
import Matrix
import Web

/// [PUT /v2/send_leave/{roomId}/{eventId}](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_leaveroomideventid):
/// lets a user of another server go.
struct SendLeave: Endpoint {
    static let routes: [Route] = [.put("/_matrix/federation/v2/send_leave/{roomId}/{eventId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let rooms: RoomService

    typealias Request = MembershipHandover

    func handle(_ request: MembershipHandover, caller: RemoteServer) async throws -> EmptyResponse {
        try await rooms.letGo(request, from: caller)
        return EmptyResponse()
    }
}

/// [PUT /v1/send_leave/{roomId}/{eventId}](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1send_leaveroomideventid):
/// the same as servers of old ask for it.
struct SendLeaveFirstVersion: Endpoint {
    static let routes: [Route] = [.put("/_matrix/federation/v1/send_leave/{roomId}/{eventId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let rooms: RoomService

    typealias Request = MembershipHandover

    func handle(_ request: MembershipHandover, caller: RemoteServer) async throws -> JSONValue {
        try await rooms.letGo(request, from: caller)
        return [200, [:]]
    }
}

extension RoomService {
    fileprivate func letGo(_ handover: MembershipHandover, from caller: RemoteServer) async throws {
        try await checkACL(caller.name, in: handover.roomID)
        _ = try await acceptMembership(
            .leave, handover.event, id: handover.eventID, in: handover.roomID, from: caller.name)
    }
}
