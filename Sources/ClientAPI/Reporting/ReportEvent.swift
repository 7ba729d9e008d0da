import Homeserver
import Matrix
import Web

/// [POST /rooms/{roomId}/report/{eventId}](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidreporteventid):
/// an event is reported to those who moderate.
struct ReportEvent: Endpoint {
    static let routes: [Route] = .client(.post, "/rooms/{roomId}/report/{eventId}")
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .message

    let reports: ReportService

    struct Request: RequestDecodable {
        let roomID: RoomID
        let eventID: EventID
        let reason: String
        /// Of older clients.
        let score: Int64?

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            eventID = try input.path("eventId")
            let body = try input.body
            reason = try body.optional("reason", as: .string) ?? ""
            score = try body.optional("score", as: .int)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await reports.report(
            request.eventID, in: request.roomID, reason: request.reason, score: request.score, by: Requester(caller))
        return EmptyResponse()
    }
}
