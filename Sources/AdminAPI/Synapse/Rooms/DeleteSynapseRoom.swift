import Homeserver
import Matrix
import Store
import Web

/// `DELETE /_synapse/admin/v1/rooms/{roomId}`: takes all users of this server out of a room, and closes it if asked to. Answers once it is
/// done. One that nobody here knows can only be closed.
///
/// Body: that of ``SynapseRoomDeletion``. Answer: `kicked_users`, `failed_to_kick_users`, `local_aliases`, `new_room_id`.
struct DeleteSynapseRoom: Endpoint {
    static let routes = [Route.delete("/_synapse/admin/v1/rooms/{roomId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseRoomDeletion, caller: Operator) async throws -> JSONValue {
        if try await services.store.number(of: request.room) == nil {
            guard request.blocks else { throw MatrixError(400, .unknown, "This server does not know that room") }
            try await request.begin(services, by: caller)
            return RoomShutdowns.Outcome().json
        }
        try await request.begin(services, by: caller)
        return try await services.shutdowns.empty(request.room).json
    }
}

/// `DELETE /_synapse/admin/v2/rooms/{roomId}`: as in version 1, but answers at once.
///
/// Body: that of ``SynapseRoomDeletion``. Answer: `delete_id`.
struct StartSynapseRoomDeletion: Endpoint {
    static let routes = [Route.delete("/_synapse/admin/v2/rooms/{roomId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseRoomDeletion, caller: Operator) async throws -> JSONValue {
        _ = try await services.rooms.number(of: request.room)
        try await request.begin(services, by: caller)
        return ["delete_id": .string(try await services.shutdowns.start(request.room))]
    }
}

/// What is to be done with a room: `block`; `purge` must be false, as what was said is not deleted, and `new_room_user_id` must be
/// missing, as no other room is made.
struct SynapseRoomDeletion: RequestDecodable {
    let room: RoomID
    let blocks: Bool

    init(from input: RequestInput) throws {
        room = try input.path("roomId")
        let body = try input.bodyOrEmpty
        blocks = try body.optional("block", as: .bool, default: false)
        _ = try body.optional("force_purge", as: .bool)
        guard try !body.optional("purge", as: .bool, default: true) else {
            throw MatrixError(400, .unknown, "What was said in rooms cannot be purged here: purge must be false")
        }
        guard try body.optional("new_room_user_id", as: .string) == nil else {
            throw MatrixError(400, .unknown, "No other room is made: new_room_user_id must be missing")
        }
    }

    fileprivate func begin(_ services: SynapseServices, by caller: Operator) async throws {
        let note = services.noting(
            .roomShutdown, on: room.string, by: caller, detail: ["block": .bool(blocks)])
        if blocks {
            try await services.rooms.setBlocked(room, by: caller.actor.name, alongside: note)
        } else {
            try await services.store.write(note)
        }
    }
}

/// `GET /_synapse/admin/v2/rooms/{roomId}/delete_status`: how far the emptying of a room is, since the server was started.
struct GetSynapseRoomDeletions: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v2/rooms/{roomId}/delete_status")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseRoomRequest, caller: Operator) async throws -> JSONValue {
        let jobs = services.shutdowns.jobs(of: request.room)
        guard !jobs.isEmpty else { throw MatrixError.notFound("Nothing is known of such a deletion") }
        return ["results": .array(jobs.map(\.json))]
    }
}

/// `GET /_synapse/admin/v2/rooms/delete_status/{deleteId}`: how far the emptying of a room is, since the server was started.
struct GetSynapseRoomDeletion: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v2/rooms/delete_status/{deleteId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let id: String

        init(from input: RequestInput) throws { id = try input.path("deleteId") }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        guard let job = services.shutdowns.job(request.id) else {
            throw MatrixError.notFound("Nothing is known of such a deletion")
        }
        return job.json
    }
}

extension RoomShutdowns.Outcome {
    fileprivate var json: JSONValue {
        [
            "kicked_users": .array(left.map { .string($0.string) }),
            "failed_to_kick_users": .array(remaining.map { .string($0.string) }), "local_aliases": [],
            "new_room_id": .null,
        ]
    }
}

extension RoomShutdowns.Job {
    fileprivate var json: JSONValue {
        [
            "delete_id": .string(id), "room_id": .string(room.string), "status": .string(status.rawValue),
            "shutdown_room": outcome.json,
        ]
    }
}
