import Homeserver
import Matrix
import Web

/// [GET /user/{userId}/account_data/{type}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridaccount_datatype),
/// and the same of a room: an item of account data.
struct GetAccountData: Endpoint {
    static let routes: [Route] =
        .client(.get, "/user/{userId}/account_data/{type}")
        + .client(.get, "/user/{userId}/rooms/{roomId}/account_data/{type}")
    static let authentication: Authentication<Caller> = .required

    let accountData: AccountDataService

    typealias Request = AccountDataRequest

    func handle(_ request: Request, caller: Caller) async throws -> RawObject {
        let user = try request.owner.checked(caller)
        return RawObject(bytes: try await accountData.content(of: user, room: request.room, type: request.type))
    }
}
