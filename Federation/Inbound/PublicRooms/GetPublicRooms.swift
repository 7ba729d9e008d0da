import Homeserver
import Matrix
import Web

/// [GET /publicRooms](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1publicrooms): this server's room directory.
struct GetPublicRooms: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/publicRooms")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let publicRooms: PublicRooms

    struct Request: RequestDecodable {
        let query: PublicRoomsQuery

        init(from input: RequestInput) throws {
            query = PublicRoomsQuery(
                limit: PublicRooms.limit(try input.query("limit", as: .count)),
                since: try input.query("since", as: .string),
                thirdPartyInstanceID: try input.query("third_party_instance_id", as: .string),
                includesAllNetworks: try input.query("include_all_networks", as: .bool) ?? false)
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> HTTPResponse {
        try await publicRooms.response(request.query)
    }
}

/// This server's room directory, if other servers may see it.
struct PublicRooms: Sendable {
    let service: PublicRoomsService
    let isPublic: Bool

    func response(_ query: PublicRoomsQuery) async throws -> HTTPResponse {
        guard isPublic else { throw MatrixError.forbidden("This server's rooms are not listed for other servers") }
        var writer = JSONWriter(capacity: 4096)
        try await service.page(query).write(into: &writer)
        return .json(200, writer.bytes)
    }

    /// A limit as other servers give it: 0 is none.
    static func limit(_ given: Int?) -> Int? { given == 0 ? nil : given }
}
