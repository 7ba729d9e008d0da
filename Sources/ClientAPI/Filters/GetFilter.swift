import Homeserver
import Matrix
import Web

/// [GET /user/{userId}/filter/{filterId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridfilterfilterid): a
/// filter as it was uploaded.
struct GetFilter: Endpoint {
    static let routes: [Route] = .client(.get, "/user/{userId}/filter/{filterId}")
    static let authentication: Authentication<Caller> = .allowingGuests

    let filters: FilterService

    struct Request: RequestDecodable {
        let owner: OwnerPath
        let filterID: String

        init(from input: RequestInput) throws {
            owner = try OwnerPath(from: input)
            filterID = try input.path("filterId")
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RawObject {
        RawObject(bytes: try await filters.json(request.filterID, of: try request.owner.checked(caller)))
    }
}
