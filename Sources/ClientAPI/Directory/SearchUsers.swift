import Homeserver
import Matrix
import Store
import Web

/// [POST /user_directory/search](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3user_directorysearch): people by name.
struct SearchUsers: Endpoint {
    static let routes: [Route] = .client(.post, "/user_directory/search")
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .search

    let directory: UserDirectory

    struct Request: RequestDecodable {
        let term: String
        let limit: Int

        private static let defaultLimit = 10

        init(from input: RequestInput) throws {
            let body = try input.body
            term = try body.required("search_term", as: .string)
            limit = Int(min(try body.optional("limit", as: .int) ?? Int64(Self.defaultLimit), 1_000))
            guard limit >= 0 else { throw MatrixError.invalidParameter("limit must not be negative") }
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        let found = try await directory.search(request.term, limit: request.limit, by: Requester(caller))
        return ["results": .array(found.users.map(Self.described)), "limited": .bool(found.isLimited)]
    }

    private static func described(_ user: DirectoryUser) -> JSONValue {
        var json: JSONValue = ["user_id": .string(user.userID.string)]
        if let name = user.displayName { json["display_name"] = .string(name) }
        if let avatar = user.avatarURL { json["avatar_url"] = .string(avatar) }
        return json
    }
}
