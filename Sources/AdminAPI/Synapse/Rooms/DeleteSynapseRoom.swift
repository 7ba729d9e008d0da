import Homeserver
import Matrix
import Store
import Web

/// `DELETE /_synapse/admin/v1/rooms/{roomId}`: takes all users of this server out of a room, closes it and removes it if asked to. Answers once
/// it is done; whoever does not wait for that changes nothing. A room that nobody here knows can only be closed.
///
/// Body: that of ``SynapseRoomDeletion``. Answer: `kicked_users`, `failed_to_kick_users`, `local_aliases`, `new_room_id`.
struct DeleteSynapseRoom: Endpoint {
    static let routes = [Route.delete("/_synapse/admin/v1/rooms/{roomId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseRoomDeletion, caller: Operator) async throws -> JSONValue {
        try await services.checkNotBeingDeleted(request.room)
        if try await !services.isHere(request.room) {
            guard request.blocks else { throw MatrixError(400, .unknown, "This server does not know that room") }
            try await services.rooms.setBlocked(
                request.room, by: caller.actor.name,
                alongside: services.noting(
                    .roomShutdown, on: request.room.string, by: caller, detail: ["block": true]))
            return RoomDeletions.nothing
        }
        let job = try await services.jobs.end(of: try await request.start(services, by: caller))
        if job.status == .failed { throw MatrixError(400, .unknown, job.error ?? "The room could not be deleted") }
        return SynapseRoomDeletion.json(job.result)
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
        try await services.checkNotBeingDeleted(request.room)
        guard try await services.isHere(request.room) else {
            throw MatrixError.notFound("This server does not know that room")
        }
        return ["delete_id": .string(try await request.start(services, by: caller))]
    }
}

/// What is to be done with a room: `block`; `purge` (`true` by default): nothing of it stays; `force_purge`: even if some users cannot be taken
/// out; `new_room_user_id`: a user of this server who makes a room for those who were in it, with the name `room_name`, and says `message` there.
struct SynapseRoomDeletion: RequestDecodable {
    let room: RoomID
    let blocks: Bool
    let options: RoomDeletions.Options

    init(from input: RequestInput) throws {
        room = try input.path("roomId")
        let body = try input.bodyOrEmpty
        blocks = try body.optional("block", as: .bool, default: false)
        let (name, message) = (
            try body.optional("room_name", as: .string), try body.optional("message", as: .string)
        )
        options = RoomDeletions.Options(
            isPurged: try body.optional("purge", as: .bool, default: true),
            isForced: try body.optional("force_purge", as: .bool, default: false),
            successor: try body.optional("new_room_user_id", as: .identifier)
                .map { RoomSuccessor(creator: $0, name: name, message: message) })
    }

    /// Begins.
    ///
    /// - Returns: The name of the work.
    fileprivate func start(_ services: SynapseServices, by caller: Operator) async throws -> String {
        if let creator = options.successor?.creator {
            let account = try await services.store.read { try $0.accounts.account(creator) }
            guard let account, !account.flags.contains(.deactivated) else {
                throw MatrixError.invalidParameter("new_room_user_id is no user of this server")
            }
        }
        // First, so that nobody comes in while the others are taken out.
        if blocks { try await services.rooms.setBlocked(room, by: caller.actor.name, alongside: { _ in }) }
        var detail: JSONValue = ["block": .bool(blocks)]
        if options.isForced { detail["force"] = true }
        return try await services.jobs.ask(
            .roomDeletion, about: room.string, input: options.json, result: RoomDeletions.nothing,
            alongside: services.noting(
                options.isPurged ? .roomPurge : .roomShutdown, on: room.string, by: caller, detail: detail))
    }

    /// What became of a room's users, as Synapse tells it.
    static func json(_ result: JSON) -> JSONValue {
        var json: JSONValue = [:]
        for name in ["kicked_users", "failed_to_kick_users", "local_aliases", "new_room_id"] {
            json[name] = result[name]?.value ?? .null
        }
        return json
    }
}

/// `GET /_synapse/admin/v2/rooms/{roomId}/delete_status`: how far the deletions of a room are, of the last month.
struct GetSynapseRoomDeletions: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v2/rooms/{roomId}/delete_status")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseRoomRequest, caller: Operator) async throws -> JSONValue {
        let jobs = try await services.jobs.jobs(.roomDeletion, about: request.room.string)
        guard !jobs.isEmpty else { throw MatrixError.notFound("Nothing is known of such a deletion") }
        return ["results": .array(jobs.map(\.deletion))]
    }
}

/// `GET /_synapse/admin/v2/rooms/delete_status/{deleteId}`: how far the deletion of a room is.
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
        try await services.job(request.id, .roomDeletion).deletion
    }
}

extension SynapseServices {
    /// Refuses what is asked of a room that is being deleted already.
    fileprivate func checkNotBeingDeleted(_ room: RoomID) async throws {
        let last = try await jobs.jobs(.roomDeletion, about: room.string).last
        guard last?.status != .scheduled, last?.status != .active else {
            throw MatrixError(400, .unknown, "This room is being deleted already")
        }
    }

    /// Whether there is something of a room here; its removal may have broken off.
    fileprivate func isHere(_ room: RoomID) async throws -> Bool {
        if try await store.number(of: room) != nil { return true }
        return try await store.read { try $0.roomPurges.purge(of: room) != nil }
    }

    /// The work of that name, if it is of that kind.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    func job(_ id: String, _ kind: JobKind) async throws -> JobRecord {
        guard let job = try await jobs.job(id), job.kind == kind else {
            throw MatrixError.notFound("Nothing is known of such work")
        }
        return job
    }
}

extension JobRecord {
    fileprivate var deletion: JSONValue {
        var json: JSONValue = [
            "delete_id": .string(id), "room_id": .string(subject), "status": .string(status.name),
            "shutdown_room": SynapseRoomDeletion.json(result),
        ]
        // What Synapse does not tell: how many events there were, and how many of them are gone.
        for name in ["events", "removed_events"] { if let value = result[name]?.value { json[name] = value } }
        if status == .failed { json["error"] = .string(error ?? "") }
        return json
    }
}
