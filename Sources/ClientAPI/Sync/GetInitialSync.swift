import Homeserver
import Matrix
import Web

/// [GET /initialSync](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3initialsync), deprecated.
struct GetInitialSync: Endpoint {
    static let routes = [Route].client(.get, "/initialSync")
    static let authentication = Authentication<Caller>.required

    let sync: SyncService

    struct Request: RequestDecodable {
        let limit: Int
        let archived: Bool

        init(from input: RequestInput) throws {
            limit = try input.query("limit", as: .count) ?? 10
            archived = try input.query("archived", as: .bool) ?? false
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try await sync.snapshot(limit: request.limit, archived: request.archived, by: Requester(caller))
    }
}
