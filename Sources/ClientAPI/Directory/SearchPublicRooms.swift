import Homeserver
import Matrix
import Web

/// [POST /publicRooms](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3publicrooms): the room directory, filtered.
struct SearchPublicRooms: Endpoint {
    static let routes: [Route] = .client(.post, "/publicRooms")
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .search

    let publicRooms: PublicRoomsService

    struct Request: RequestDecodable {
        let query: PublicRoomsQuery
        let server: ServerName?

        init(from input: RequestInput) throws {
            let body = try input.bodyOrEmpty
            let filter = try body.optional("filter", as: .object)
            let limit = try body.optional("limit", as: .int)
            guard limit ?? 0 >= 0 else { throw MatrixError.invalidParameter("limit must not be negative") }
            query = PublicRoomsQuery(
                limit: limit.map { Int($0) }, since: try body.optional("since", as: .string),
                searchTerm: try filter?.optional("generic_search_term", as: .string),
                roomTypes: try filter?.optional("room_types", as: .array(of: .stringOrNull)),
                thirdPartyInstanceID: try body.optional("third_party_instance_id", as: .string),
                includesAllNetworks: try body.optional("include_all_networks", as: .bool, default: false))
            server = try input.query("server", as: .identifier)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> PublicRoomsResponse {
        try await publicRooms.response(request.query, server: request.server)
    }
}

extension JSONForm where Value == String? {
    /// A string, or `null`.
    fileprivate static var stringOrNull: Self {
        Self("a string or null") { json -> String?? in
            if json.isNull { return .some(nil) }
            return json.string.map { .some($0) }
        }
    }
}
