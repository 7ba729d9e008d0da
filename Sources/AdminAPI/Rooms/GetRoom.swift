import Homeserver
import Matrix
import Store
import Web

/// `GET /_chappe/admin/v1/rooms/{roomId}`: a room and who is in it.
struct GetRoom: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/rooms/{roomId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let rooms: RoomService
    let store: Store

    struct Request: RequestDecodable {
        let roomID: RoomID

        init(from input: RequestInput) throws { roomID = try input.path("roomId") }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let number = try await rooms.number(of: request.roomID)
        var json = try await RoomDescription.json(rooms.view(number))
        let (members, events, blocker) = try await store.read { reader in
            (
                try reader.memberships.users(in: number, .join).map { try reader.identifiers.user($0) },
                try reader.roomPurges.eventCount(of: number), try reader.rooms.blocker(of: request.roomID)
            )
        }
        json["members"] = .array(members.map { .string($0.string) })
        json["local_members"] = .integer(Int64(members.count { $0.isLocal(to: rooms.serverName) }))
        json["events"] = .integer(events)
        if let blocker { json["blocked_by"] = .string(blocker) }
        return json
    }
}
