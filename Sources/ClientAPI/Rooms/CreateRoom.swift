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
    let invitations: AddressInvitations
    let limiter: RateLimiter

    /// As many as a page of a client's form could hold: each is two requests to an identity server.
    private static let maximumAddresses = 20

    struct Request: RequestDecodable {
        let aliasLocalpart: String?
        let addresses: [AddressInvitation]
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
            let addresses = try body.optional("invite_3pid", as: .array(of: .object)) ?? []
            guard addresses.count <= CreateRoom.maximumAddresses else {
                throw MatrixError.invalidParameter(
                    "No more than \(CreateRoom.maximumAddresses) addresses are invited at once")
            }
            self.addresses = try addresses.map { try AddressInvitation($0) }
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
        try limiter.admitInvitations(of: request.room.invite, to: nil, by: caller)
        if !request.addresses.isEmpty { try limiter.admit(caller, as: .invite, cost: request.addresses.count) }
        var room = request.room
        if let localpart = request.aliasLocalpart {
            guard !localpart.isEmpty, !localpart.utf8.contains(UInt8(ascii: ":")),
                let alias = RoomAlias("#\(localpart):\(rooms.serverName)")
            else { throw MatrixError.invalidParameter("\(localpart) cannot be the name of an alias") }
            try appServices.checkMayChange(alias, by: caller.appServiceID)
            room.alias = alias
        }
        for address in request.addresses { try invitations.check(address) }
        let created = try await rooms.create(room, by: Requester(caller))
        await invitations.invite(request.addresses, toNew: created, by: Requester(caller))
        return Response(roomID: created, alias: room.alias)
    }
}
