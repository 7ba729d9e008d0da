import Homeserver
import Matrix
import Web

/// [POST /createRoom](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom)
struct CreateRoom: Endpoint {
    static let routes = [Route].client(.post, "/createRoom")
    static let authentication = Authentication<Caller>.required
    static let rateLimit = RateLimitClass.roomCreation

    let rooms: RoomService
    let appServices: AppServices

    struct Request: RequestDecodable {
        let aliasLocalpart: String?
        var room = NewRoom()

        init(from input: RequestInput) throws {
            let body = try input.bodyOrEmpty
            if let version = try body.optional("room_version", as: .string) {
                guard let known = RoomVersion(id: version) else {
                    throw MatrixError(400, .unsupportedRoomVersion, "This server does not know room version \(version)")
                }
                room.version = known
            }
            room.preset = try body.optional("preset", as: .choice)
            room.isPublished = try body.optional("visibility", as: .string) == "public"
            aliasLocalpart = try body.optional("room_alias_name", as: .string)
            room.name = try body.optional("name", as: .string)
            room.topic = try body.optional("topic", as: .string)
            room.invite = try body.optional("invite", as: .array(of: .identifier)) ?? []
            room.isDirect = try body.optional("is_direct", as: .bool) ?? false
            room.creationContent = try body.optional("creation_content", as: .rawObject)?.value.object ?? [:]
            room.powerLevelOverride = try body.optional("power_level_content_override", as: .rawObject)
            room.initialState = try (body.optional("initial_state", as: .array(of: .object)) ?? []).map { state in
                NewRoom.InitialState(
                    type: EventType(try state.required("type", as: .string)),
                    key: try state.optional("state_key", as: .string) ?? "",
                    content: try state.required("content", as: .rawObject)
                )
            }
            if let invites = try body.optional("invite_3pid", as: .rawArray), invites.count > 0 {
                throw MatrixError(400, "M_THREEPID_DENIED", "Invitations by e-mail or telephone are not possible here")
            }
        }
    }

    struct Response: ResponseEncodable {
        let roomID: RoomID
        let alias: RoomAlias?

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            encoder.json.member("room_id", roomID)
            encoder.json.member("room_alias", alias)
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> Response {
        try caller.checkNotSuspended()
        var room = request.room
        if let localpart = request.aliasLocalpart {
            guard !localpart.isEmpty, !localpart.utf8.contains(UInt8(ascii: ":")),
                let alias = RoomAlias("#\(localpart):\(rooms.serverName)")
            else { throw MatrixError.invalidParameter("\(localpart) cannot be the name of an alias") }
            try appServices.checkMayChange(alias, by: caller.appServiceID)
            room.alias = alias
        }
        return Response(roomID: try await rooms.create(room, by: Requester(caller)), alias: room.alias)
    }
}
