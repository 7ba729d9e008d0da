import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v1/rooms/{roomId}/block`: whether a room is closed, and by whom.
struct GetSynapseRoomBlock: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/rooms/{roomId}/block")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let store: Store

    func handle(_ request: SynapseRoomRequest, caller: Operator) async throws -> JSONValue {
        guard let blocker = try await store.read({ try $0.rooms.blocker(of: request.room) }) else {
            return ["block": false]
        }
        return ["block": true, "user_id": .string(blocker)]
    }
}

/// `PUT /_synapse/admin/v1/rooms/{roomId}/block`: closes a room, known here or not, or opens it again.
///
/// Body: `block`.
struct SetSynapseRoomBlock: Endpoint {
    static let routes = [Route.put("/_synapse/admin/v1/rooms/{roomId}/block")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let room: RoomID
        let isBlocked: Bool

        init(from input: RequestInput) throws {
            room = try input.path("roomId")
            isBlocked = try input.body.required("block", as: .bool)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        try await services.rooms.setBlocked(
            request.room, by: request.isBlocked ? caller.actor.name : nil,
            alongside: services.noting(
                request.isBlocked ? .roomBlock : .roomUnblock, on: request.room.string, by: caller))
        return ["block": .bool(request.isBlocked)]
    }
}

/// `POST /_synapse/admin/v1/rooms/{roomId}/make_room_admin`: gives somebody as much power in a room as a user of this server has who may give
/// it, and invites them if they cannot come by themselves.
///
/// Body: `user_id`; who asks, unless given.
struct MakeSynapseRoomAdmin: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/rooms/{roomId}/make_room_admin")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let room: SynapseRoomName
        let user: UserID?

        init(from input: RequestInput) throws {
            room = try SynapseRoomName(from: input)
            user = try input.bodyOrEmpty.optional("user_id", as: .identifier)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> EmptyResponse {
        let room = try await request.room.resolved(by: services.rooms).room
        let user = try request.user ?? services.requester(caller).id
        try await services.rooms.makeAdministrator(
            user, of: room,
            alongside: services.noting(
                .roomMakeAdmin, on: room.string, by: caller, detail: ["user_id": .string(user.string)]))
        return EmptyResponse()
    }
}

/// `POST /_synapse/admin/v1/join/{roomId}`: puts a user of this server into a room, invited by who asks where not everybody may join.
///
/// Body: `user_id`. Query: `server_name` (of servers that may be in the room). Answer: `room_id`.
struct JoinSynapseRoom: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/join/{roomId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let room: SynapseRoomName
        let user: UserID
        let servers: [ServerName]

        init(from input: RequestInput) throws {
            room = try SynapseRoomName(from: input)
            user = try input.body.required("user_id", as: .identifier)
            servers = try input.queries("server_name", as: .identifier)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        let (room, servers) = try await request.room.resolved(by: services.rooms)
        // Before it is done: through other servers it is not done in one transaction, and no act of an administrator may go untold.
        try await services.store.write(
            services.noting(.roomJoin, on: room.string, by: caller, detail: ["user_id": .string(request.user.string)]))
        try await services.rooms.enter(
            Requester(id: account.userID, number: account.user), room, via: request.servers + servers,
            invitedBy: caller.caller == nil ? nil : try services.requester(caller))
        return ["room_id": .string(room.string)]
    }
}
