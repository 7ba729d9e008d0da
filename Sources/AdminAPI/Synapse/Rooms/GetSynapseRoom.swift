import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v1/rooms/{roomId}`: a room.
struct GetSynapseRoom: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/rooms/{roomId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseRoomRequest, caller: Operator) async throws -> JSONValue {
        let room = try await services.overviews.overview(of: request.room)
        let (devices, isRemembered) = try await services.store.read { [server = services.accounts.serverName] reader in
            (
                try reader.rooms.joinedDevices(in: room.number),
                try reader.rooms.isRemembered(room.number, by: server)
            )
        }
        var json = SynapseRoom.json(room)
        json["topic"] = room.topic.json
        json["avatar"] = room.avatarURL.json
        json["joined_local_devices"] = .integer(devices)
        json["forgotten"] = .bool(!isRemembered)
        json["tombstoned"] = .bool(room.isTombstoned)
        json["replacement_room"] = room.replacement.json
        return .object(json)
    }
}

/// `GET /_synapse/admin/v1/rooms/{roomId}/members`: who is joined to a room.
struct GetSynapseRoomMembers: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/rooms/{roomId}/members")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseRoomRequest, caller: Operator) async throws -> JSONValue {
        let number = try await services.rooms.number(of: request.room)
        let members = try await services.store.read { reader in
            try reader.memberships.users(in: number, .join).map {
                JSONValue.string(try reader.identifiers.user($0).string)
            }
        }
        return ["members": .array(members), "total": .integer(Int64(members.count))]
    }
}

/// `GET /_synapse/admin/v1/rooms/{roomId}/state`: a room's current state.
///
/// Query: `type`.
struct GetSynapseRoomState: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/rooms/{roomId}/state")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let room: RoomID
        let type: String?

        init(from input: RequestInput) throws {
            room = try input.path("roomId")
            type = try input.query("type", as: .string)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> HTTPResponse {
        let type = request.type.map { EventType($0) }
        let events = try await services.rooms.inspectedState(of: request.room)
            .filter { type == nil || $0.event.type == type }
        var writer = JSONWriter(capacity: 64 + events.count * 700)
        writer.beginObject()
        writer.key("state")
        services.write(events, into: &writer)
        writer.endObject()
        return .json(200, writer.bytes)
    }
}

/// `GET /_synapse/admin/v1/rooms/{roomId}/forward_extremities`: the events of a room that nothing follows yet.
struct GetSynapseForwardExtremities: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/rooms/{roomId}/forward_extremities")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let room: SynapseRoomName

        init(from input: RequestInput) throws { room = try SynapseRoomName(from: input) }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let number = try await services.rooms.number(of: request.room.resolved(by: services.rooms).room)
        let events = try await services.store.read { reader in
            try reader.events.events(reader.rooms.forwardExtremities(number))
        }
        let results = events.sorted { $0.number < $1.number }.map { event -> JSONValue in
            [
                "event_id": .string(event.event.eventID.string), "depth": .integer(event.event.depth),
                "received_ts": .integer(event.receivedTimestamp),
                "state_group": event.state.map { .integer($0.rawValue) } ?? .null,
            ]
        }
        return ["count": .integer(Int64(results.count)), "results": .array(results)]
    }
}

/// `GET /_synapse/admin/v1/rooms/{roomId}/hierarchy`: what is in a space, of the rooms that this server is in.
///
/// Query: `from`, `limit`, `max_depth`.
struct GetSynapseRoomHierarchy: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/rooms/{roomId}/hierarchy")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let query: SpaceHierarchy.Query
        let from: String?

        init(from input: RequestInput) throws {
            query = SpaceHierarchy.Query(
                room: try input.path("roomId"), suggestedOnly: false, limit: try input.query("limit", as: .count),
                maximumDepth: try input.query("max_depth", as: .count), isInspection: true)
            guard query.limit > 0 else { throw MatrixError.invalidParameter("limit must be at least 1") }
            from = try input.query("from", as: .string)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> HTTPResponse {
        let page = try await services.spaces.page(
            request.query, from: request.from, by: try services.requester(caller))
        var writer = JSONWriter(capacity: 4_096)
        writer.beginObject()
        writer.key("rooms")
        writer.beginArray()
        for room in page.rooms { room.write(into: &writer, suggestedOnly: false) }
        writer.endArray()
        writer.member("next_batch", page.next)
        writer.endObject()
        return .json(200, writer.bytes)
    }
}
