import Homeserver
import Logging
import Matrix
import Web

/// [PUT /3pid/onbind](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv13pidonbind): an identity server has found out
/// that an address is that of a user of this server; invitations of the address become invitations of the user.
///
/// Not signed. What it leads to is: by the identity server that each room has named when the invitation was made.
struct BindThirdPartyIdentifier: Endpoint {
    /// Identity servers in use ask by `POST`.
    static let routes: [Route] = [
        .put("/_matrix/federation/v1/3pid/onbind"), .post("/_matrix/federation/v1/3pid/onbind"),
    ]
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .invite

    let rooms: RoomService
    let logger: Logger

    static let maximumInvites = 20

    struct Request: RequestDecodable {
        let user: UserID
        let invites: [ThirdPartyInvite]

        init(from input: RequestInput) throws {
            let body = try input.body
            let user: UserID = try body.required("mxid", as: .identifier)
            let list = try body.optional("invites", as: .array(of: .object), default: [])
            guard list.count <= BindThirdPartyIdentifier.maximumInvites else {
                throw MatrixError.tooLarge("There are more invitations than can be dealt with at once")
            }
            self.user = user
            invites = try list.map { invite in
                let signed = try invite.required("signed", as: .rawObject)
                guard try invite.required("mxid", as: .identifier) == user,
                    signed["mxid"]?.string.flatMap({ UserID($0) }) == user
                else { throw MatrixError.invalidParameter("An invitation is for another user") }
                return ThirdPartyInvite(
                    room: try invite.required("room_id", as: .identifier),
                    sender: try invite.required("sender", as: .identifier), target: user, signed: signed)
            }
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> EmptyResponse {
        guard request.user.isLocal(to: rooms.serverName) else {
            throw MatrixError.notFound("There is no such user here")
        }
        var refusal: MatrixError?
        var isAnyGood = request.invites.isEmpty
        for invite in request.invites {
            do {
                try await rooms.redeem(invite)
                isAnyGood = true
            } catch let error as MatrixError {
                logger.info(
                    "an invitation of an address comes to nothing",
                    metadata: ["room": "\(invite.room)", "user": "\(invite.target)", "error": "\(error.message)"])
                refusal = error
            }
        }
        if let refusal, !isAnyGood { throw refusal }
        return EmptyResponse()
    }
}
