import Homeserver
import Matrix
import Store
import Web

/// `POST /_chappe/admin/v1/rooms`: makes a room for a user of this server, who has all power in it.
///
/// Body: `creator` (localpart or user ID), and optionally `name`, `topic`, `alias` (localpart), `public` (whether everybody may join and it is
/// listed; `false`), `encrypted` (`true`, unless it is public), `invite` (user IDs, 1,000 at the most), `room_version`. Answer: `room_id`.
struct CreateRoomForUser: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/rooms")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    private static let maximumInvitations = 1_000

    let services: AdministrationServices

    struct Request: RequestDecodable {
        let creator: String
        let alias: String?
        var room = NewRoom()

        init(from input: RequestInput) throws {
            let body = try input.body
            creator = try body.required("creator", as: .string)
            alias = try body.optional("alias", as: .string)
            room.name = try body.optional("name", as: .string)
            room.topic = try body.optional("topic", as: .string)
            let isPublic = try body.optional("public", as: .bool, default: false)
            room.isPublished = isPublic
            room.preset = isPublic ? .publicChat : .privateChat
            if try body.optional("encrypted", as: .bool, default: !isPublic) {
                room.initialState.append(
                    .init(
                        type: .encryption, key: "", content: (["algorithm": "m.megolm.v1.aes-sha2"] as JSONValue).json))
            }
            room.invite = try body.optional("invite", as: .array(of: .identifier)) ?? []
            guard room.invite.count <= CreateRoomForUser.maximumInvitations else {
                throw MatrixError.invalidParameter("\(CreateRoomForUser.maximumInvitations) invitations at the most")
            }
            if let version = try body.optional("room_version", as: .string) {
                guard let known = RoomVersion(id: version) else {
                    throw MatrixError(400, .unsupportedRoomVersion, "This server does not know room version \(version)")
                }
                room.version = known
            }
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let account = try await services.accounts.required(request.creator)
        var room = request.room
        if let name = request.alias {
            guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: ":")),
                let alias = RoomAlias("#\(name):\(services.rooms.serverName)")
            else { throw MatrixError.invalidParameter("\(name) cannot be the name of an alias") }
            room.alias = alias
        }
        let created = try await services.rooms.create(
            room, by: Requester(id: account.userID, number: account.user))
        try await services.store.write { [audit = services.audit] writer in
            try audit.note(
                .roomCreate, by: caller.actor, on: created.string,
                detail: ["creator": .string(account.userID.string)], in: writer)
        }
        return ["room_id": .string(created.string)]
    }
}
