import Homeserver
import Matrix
import Web

/// `DELETE /user/{userId}/account_data/{type}`, and the same of a room: deletes an item of account data.
///
/// Not part of Matrix 1.19: [MSC3391](https://github.com/matrix-org/matrix-spec-proposals/pull/3391), under its unstable name.
struct DeleteAccountData: Endpoint {
    static let routes: [Route] =
        .client(.delete, "/user/{userId}/account_data/{type}", versions: ["unstable/org.matrix.msc3391"])
        + .client(
            .delete, "/user/{userId}/rooms/{roomId}/account_data/{type}", versions: ["unstable/org.matrix.msc3391"])
    static let authentication: Authentication<Caller> = .required

    let accountData: AccountDataService

    typealias Request = AccountDataRequest

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        let user = try request.owner.checked(caller)
        try await accountData.delete(of: user, room: request.room, type: request.type)
        return EmptyResponse()
    }
}
