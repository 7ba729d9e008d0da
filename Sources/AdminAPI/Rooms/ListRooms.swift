import Homeserver
import Matrix
import Store
import Web

/// `GET /_chappe/admin/v1/rooms`: rooms in the order in which this server came to know them, a page at a time.
///
/// Query: `from` (the `next` of the page before), `limit` (100, at most 1,000).
struct ListRooms: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/rooms")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let rooms: RoomService
    let store: Store

    struct Request: RequestDecodable {
        let from: Int64?
        let limit: Int

        init(from input: RequestInput) throws {
            from = try input.query("from", as: .milliseconds)
            limit = min(try input.query("limit", as: .count) ?? 100, 1_000)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let numbers = try await store.read { reader in
            try reader.rooms.rooms(after: request.from.map { RoomNumber($0) }, limit: request.limit)
        }
        var list: [JSONValue] = []
        for number in numbers {
            do { list.append(try await RoomDescription.json(rooms.view(number))) } catch let error as MatrixError
                where error.status == 404
            {
                // Known by an invitation only, or removed a moment ago.
                continue
            }
        }
        var response: JSONValue = ["rooms": .array(list)]
        if numbers.count == request.limit, let last = numbers.last { response["next"] = .integer(last.rawValue) }
        return response
    }
}

/// A room as the administration API describes it.
enum RoomDescription {
    static func json(_ view: RoomView) async throws -> JSONValue {
        var json: JSONValue = [
            "room_id": .string(view.head.id?.string ?? ""),
            "room_version": .string(view.head.version.id),
            "joined_members": .integer(Int64(view.head.joinedCount)),
            "invited_members": .integer(Int64(view.head.invitedCount)),
            "state_events": .integer(Int64(view.head.state.count)),
        ]
        if let creator = view.head.creation?.event.sender { json["creator"] = .string(creator.string) }
        if let name = try await view.event(StateKey(.name))?.event.content["name"]?.string {
            json["name"] = .string(name)
        }
        if let alias = try await view.event(StateKey(.canonicalAlias))?.event.content["alias"]?.string {
            json["canonical_alias"] = .string(alias)
        }
        json["encrypted"] = .bool(try await view.event(StateKey(.encryption)) != nil)
        return json
    }
}
