import Homeserver
import Matrix
import Web

/// [PUT /user/{userId}/account_data/{type}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3useruseridaccount_datatype),
/// and the same of a room: keeps an item of account data.
struct SetAccountData: Endpoint {
    static let routes: [Route] =
        .client(.put, "/user/{userId}/account_data/{type}")
        + .client(.put, "/user/{userId}/rooms/{roomId}/account_data/{type}")
    static let authentication: Authentication<Caller> = .required

    let accountData: AccountDataService

    struct Request: RequestDecodable {
        let item: AccountDataRequest
        let content: JSON

        init(from input: RequestInput) throws {
            item = try AccountDataRequest(from: input)
            content = try input.body.json
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        let user = try request.item.owner.checked(caller)
        try await accountData.set(request.content, of: user, room: request.item.room, type: request.item.type)
        return EmptyResponse()
    }
}
