import Homeserver
import Matrix
import Web

/// [POST /rooms/{roomId}/report](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidreport): a room is reported to those who moderate.
struct ReportRoom: Endpoint {
    static let routes: [Route] = .client(.post, "/rooms/{roomId}/report", versions: ["v3"])
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .message

    let reports: ReportService

    struct Request: RequestDecodable {
        let roomID: RoomID
        let reason: String

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            reason = try input.body.required("reason", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await reports.report(request.roomID, reason: request.reason, by: Requester(caller))
        return EmptyResponse()
    }
}
