import Homeserver
import Matrix
import Web

/// [GET /publicRooms](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3publicrooms): the room directory.
struct GetPublicRooms: Endpoint {
    static let routes: [Route] = .client(.get, "/publicRooms")
    static let authentication: Authentication<Caller?> = .optional
    static let rateLimit: RateLimitClass = .search

    let publicRooms: PublicRoomsService
    /// Whether the directory is shown to those who are not logged in.
    let withoutLogin: Bool

    struct Request: RequestDecodable {
        let query: PublicRoomsQuery
        let server: ServerName?

        init(from input: RequestInput) throws {
            query = PublicRoomsQuery(
                limit: try input.query("limit", as: .count), since: try input.query("since", as: .string))
            server = try input.query("server", as: .identifier)
        }
    }

    func handle(_ request: Request, caller: Caller?) async throws -> PublicRoomsResponse {
        guard caller != nil || withoutLogin else { throw MatrixError.missingToken }
        return try await publicRooms.response(request.query, server: request.server)
    }
}
