import Homeserver
import Matrix
import Web

/// [POST /rooms/{roomId}/receipt/{receiptType}/{eventId}](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid):
/// moves a receipt.
struct SendReceipt: Endpoint {
    static let routes: [Route] = .client(.post, "/rooms/{roomId}/receipt/{receiptType}/{eventId}")
    static let authentication: Authentication<Caller> = .required

    let receipts: ReceiptService
    let presence: PresenceService

    struct Request: RequestDecodable {
        let room: RoomID
        let type: ReceiptType
        let event: EventID
        let thread: String?

        init(from input: RequestInput) throws {
            room = try input.path("roomId")
            type = try input.path("receiptType", as: .choice)
            event = try input.path("eventId")
            thread = try ThreadParameter.read(input.bodyOrEmpty)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await receipts.set(
            request.type, event: request.event, thread: request.thread, of: caller.userID, in: request.room)
        try await presence.act(UserNumber(caller.userNumber))
        return EmptyResponse()
    }
}

/// The `thread_id` of a receipt.
enum ThreadParameter {
    /// Reads it; `nil` if there is none.
    ///
    /// - Throws: 400 `M_INVALID_PARAM` for anything but a text, as the specification wants it here.
    static func read(_ body: JSONFields) throws(MatrixError) -> String? {
        guard let value = body.json["thread_id"] else { return nil }
        guard let thread = value.string, !thread.isEmpty else {
            throw .invalidParameter("thread_id must be a string that is not empty")
        }
        return thread
    }
}
