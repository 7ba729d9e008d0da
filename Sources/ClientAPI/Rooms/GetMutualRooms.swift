import Homeserver
import Matrix
import Web

/// [GET /mutual_rooms](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mutual_rooms): the rooms that the caller and
/// another user are in.
struct GetMutualRooms: Endpoint {
    static let routes: [Route] =
        .client(.get, "/mutual_rooms", versions: ["v1"])
        + .client(.get, "/user/mutual_rooms", versions: ["unstable/uk.half-shot.msc2666"])
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .search

    let rooms: RoomService

    struct Request: RequestDecodable {
        let userID: UserID
        let from: String?

        init(from input: RequestInput) throws {
            userID = try input.requiredQuery("user_id", as: .identifier)
            from = try input.query("from", as: .string) ?? input.query("batch_token", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        let page = try await rooms.mutualRooms(with: request.userID, from: request.from, by: Requester(caller))
        var json: JSONValue = [
            "joined": .array(page.rooms.map { .string($0.string) }), "count": .integer(Int64(page.count)),
        ]
        if let next = page.next { json["next_batch"] = .string(next) }
        return json
    }
}
