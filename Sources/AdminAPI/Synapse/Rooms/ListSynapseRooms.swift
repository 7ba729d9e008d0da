import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v1/rooms`: the rooms that this server knows, a page at a time.
///
/// Query: that of ``SynapsePage``, `order_by`, `search_term`, `public_rooms`, `empty_rooms`.
struct ListSynapseRooms: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/rooms")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let page: SynapsePage
        let order: SynapseRoomOrder
        let term: String?
        let isPublic: Bool?
        let isEmpty: Bool?

        init(from input: RequestInput) throws {
            page = try SynapsePage(from: input)
            order = try input.query("order_by", as: .choice) ?? .name
            term = try input.searched("search_term")
            isPublic = try input.query("public_rooms", as: .bool)
            isEmpty = try input.query("empty_rooms", as: .bool)
            if let term, term.isEmpty { throw MatrixError.invalidParameter("search_term is empty") }
        }

        /// Whether a room is one of those that are wanted. The term is in its name or the localpart of its main alias, whatever the size of
        /// letters, or in its ID.
        func selects(_ room: RoomOverview) -> Bool {
            if let isPublic, room.isPublished != isPublic { return false }
            if let isEmpty, (room.joinedMembers == 0) != isEmpty { return false }
            guard let term else { return true }
            let small = term.lowercased()
            let alias = room.canonicalAlias.map { $0.dropFirst().prefix { $0 != ":" }.lowercased() }
            return room.id.string.contains(term) || room.name?.lowercased().contains(small) == true
                || alias?.contains(small) == true
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let page = request.page
        let rooms = request.order.sorted(
            try await services.overviews.all().filter(request.selects), isReversed: page.isDescending ?? false)
        var json: JSONValue = [
            "offset": .integer(Int64(page.offset)), "total_rooms": .integer(Int64(rooms.count)),
            "rooms": .array(
                rooms.dropFirst(page.offset).prefix(page.limit).map { .object(SynapseRoom.json($0)) }),
        ]
        if page.limit > 0, page.offset + page.limit < rooms.count {
            json["next_batch"] = .integer(Int64(page.offset + page.limit))
        }
        if page.offset > 0 { json["prev_batch"] = .integer(Int64(max(0, page.offset - page.limit))) }
        return json
    }
}
