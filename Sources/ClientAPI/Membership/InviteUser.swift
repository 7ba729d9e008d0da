import Homeserver
import Matrix
import Web

/// [POST /rooms/{roomId}/invite](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidinvite), by user ID or
/// [by an address](https://spec.matrix.org/v1.19/client-server-api/#third-party-invites)
struct InviteUser: Endpoint {
    static let routes = [Route].client(.post, "/rooms/{roomId}/invite")
    static let authentication = Authentication<Caller>.required
    // Counted by who invites, by room and by who is invited.
    static let rateLimit = RateLimitClass.standard

    let rooms: RoomService
    let invitations: AddressInvitations
    let limiter: RateLimiter

    struct Request: RequestDecodable {
        let roomID: RoomID
        let invited: Invited
        let reason: String?

        enum Invited: Sendable {
            case user(UserID)
            case address(AddressInvitation)
        }

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            let body = try input.body
            if !body.contains("user_id"), body.contains("address") || body.contains("medium") {
                invited = .address(try AddressInvitation(body))
            } else {
                invited = .user(try body.required("user_id", as: .identifier))
            }
            reason = try body.optional("reason", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try caller.checkNotSuspended()
        switch request.invited {
        case .user(let user):
            try limiter.admitInvitations(of: [user], to: request.roomID, by: caller)
            try await rooms.invite(user, to: request.roomID, by: Requester(caller), reason: request.reason)
        case .address(let address):
            try limiter.admit(caller, as: .invite)
            try await invitations.invite(address, to: request.roomID, by: Requester(caller), reason: request.reason)
        }
        return EmptyResponse()
    }
}

extension AddressInvitation {
    /// Reads [an invitation by a third-party identifier](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidinvite-1).
    init(_ fields: JSONFields) throws {
        self.init(
            medium: try fields.required("medium", as: .string), address: try fields.required("address", as: .string),
            server: try fields.required("id_server", as: .string),
            token: try fields.required("id_access_token", as: .string))
    }
}
