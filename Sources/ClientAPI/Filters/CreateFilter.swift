import Homeserver
import Matrix
import Web

/// [POST /user/{userId}/filter](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridfilter): keeps a filter.
struct CreateFilter: Endpoint {
    static let routes: [Route] = .client(.post, "/user/{userId}/filter")
    static let authentication: Authentication<Caller> = .allowingGuests

    let filters: FilterService

    struct Request: RequestDecodable {
        let owner: OwnerPath
        let filter: JSON

        init(from input: RequestInput) throws {
            owner = try OwnerPath(from: input)
            filter = try input.body.json
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        ["filter_id": .string(try await filters.upload(request.filter, of: try request.owner.checked(caller)))]
    }
}
