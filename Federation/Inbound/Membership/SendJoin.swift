import Homeserver
import Matrix
import Web

/// [PUT /v2/send_join/{roomId}/{eventId}](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_joinroomideventid):
/// lets a user of another server in.
struct SendJoin: Endpoint {
    static let routes: [Route] = [.put("/_matrix/federation/v2/send_join/{roomId}/{eventId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let rooms: RoomService

    struct Request: RequestDecodable {
        let handover: MembershipHandover
        let omitsMembers: Bool

        init(from input: RequestInput) throws {
            handover = try MembershipHandover(from: input)
            omitsMembers = try input.query("omit_members", as: .bool) ?? false
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> ResidentResponse {
        try await rooms.letIn(request.handover, from: caller, omitsMembers: request.omitsMembers, isFirstVersion: false)
    }
}

/// [PUT /v1/send_join/{roomId}/{eventId}](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1send_joinroomideventid):
/// the same as servers of old ask for it.
struct SendJoinFirstVersion: Endpoint {
    static let routes: [Route] = [.put("/_matrix/federation/v1/send_join/{roomId}/{eventId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let rooms: RoomService

    typealias Request = MembershipHandover

    func handle(_ request: MembershipHandover, caller: RemoteServer) async throws -> ResidentResponse {
        try await rooms.letIn(request, from: caller, omitsMembers: false, isFirstVersion: true)
    }
}

extension RoomService {
    fileprivate func letIn(
        _ handover: MembershipHandover, from caller: RemoteServer, omitsMembers: Bool, isFirstVersion: Bool
    ) async throws -> ResidentResponse {
        try await checkACL(caller.name, in: handover.roomID)
        let event = try await acceptMembership(
            .join, handover.event, id: handover.eventID, in: handover.roomID, from: caller.name)
        return ResidentResponse(
            answer: try await residentAnswer(to: event, omitsMembers: omitsMembers), serverName: serverName,
            isFirstVersion: isFirstVersion)
    }
}
