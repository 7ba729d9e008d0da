import Homeserver
import Matrix
import Web

/// [POST /publicRooms](https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1publicrooms): this server's room
/// directory, filtered.
struct SearchPublicRooms: Endpoint {
    static let routes: [Route] = [.post("/_matrix/federation/v1/publicRooms")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let publicRooms: PublicRooms

    struct Request: RequestDecodable {
        let query: PublicRoomsQuery

        init(from input: RequestInput) throws {
            let body = try input.bodyOrEmpty
            let filter = try body.optional("filter", as: .object)
            let limit = try body.optional("limit", as: .int)
            guard limit ?? 0 >= 0 else { throw MatrixError.invalidParameter("limit must not be negative") }
            query = PublicRoomsQuery(
                limit: PublicRooms.limit(limit.map { Int($0) }), since: try body.optional("since", as: .string),
                searchTerm: try filter?.optional("generic_search_term", as: .string),
                roomTypes: try filter?.optional("room_types", as: .array(of: .roomType)),
                thirdPartyInstanceID: try body.optional("third_party_instance_id", as: .string),
                includesAllNetworks: try body.optional("include_all_networks", as: .bool, default: false))
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> HTTPResponse {
        try await publicRooms.response(request.query)
    }
}

extension JSONForm where Value == String? {
    /// A type of room; `null` for rooms that have none.
    fileprivate static var roomType: Self {
        Self("a string or null") { json -> String?? in
            if json.isNull { return .some(nil) }
            return json.string.map { .some($0) }
        }
    }
}
