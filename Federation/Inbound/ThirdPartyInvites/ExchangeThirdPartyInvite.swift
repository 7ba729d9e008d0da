import Homeserver
import Matrix
import Web

/// [PUT /exchange_third_party_invite/{roomId}](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1exchange_third_party_inviteroomid):
/// the address that a user of this server has invited turned out to be that of a user elsewhere, who is to be invited now.
struct ExchangeThirdPartyInvite: Endpoint {
    static let routes: [Route] = [.put("/_matrix/federation/v1/exchange_third_party_invite/{roomId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let rooms: RoomService

    struct Request: RequestDecodable {
        let invite: ThirdPartyInvite

        init(from input: RequestInput) throws {
            let room: RoomID = try input.path("roomId")
            let body = try input.body
            guard try body.required("type", as: .string) == EventType.member.string,
                try body.required("room_id", as: .identifier) == room
            else { throw MatrixError.invalidParameter("The body is no membership in the room of the path") }
            let content = try body.required("content", as: .object)
            let target: UserID = try body.required("state_key", as: .identifier)
            let signed = try content.required("third_party_invite", as: .object).required("signed", as: .rawObject)
            guard try content.required("membership", as: .string) == Membership.invite.rawValue,
                signed["mxid"]?.string.flatMap({ UserID($0) }) == target
            else { throw MatrixError.invalidParameter("The membership is no invitation of the user that was found") }
            invite = ThirdPartyInvite(
                room: room, sender: try body.required("sender", as: .identifier), target: target, signed: signed)
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> EmptyResponse {
        // Servers inform of their own users only.
        guard request.invite.target.server == caller.name else {
            throw MatrixError.forbidden("\(request.invite.target) is no user of \(caller.name)")
        }
        try await rooms.checkACL(caller.name, in: request.invite.room)
        try await rooms.issue(request.invite)
        return EmptyResponse()
    }
}
