import Homeserver
import Matrix
import Web

/// [POST /users/{userId}/report](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3usersuseridreport): a user is reported to those who moderate.
struct ReportUser: Endpoint {
    static let routes: [Route] = .client(.post, "/users/{userId}/report", versions: ["v3"])
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .message

    let reports: ReportService

    struct Request: RequestDecodable {
        let userID: UserID
        let reason: String

        init(from input: RequestInput) throws {
            userID = try input.path("userId")
            reason = try input.body.required("reason", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await reports.report(request.userID, reason: request.reason, by: Requester(caller))
        return EmptyResponse()
    }
}
