import Homeserver
import Matrix
import Web

/// [PUT /rooms/{roomId}/typing/{userId}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidtypinguserid): says that
/// the caller is typing, or no longer.
struct SetTyping: Endpoint {
    static let routes: [Route] = .client(.put, "/rooms/{roomId}/typing/{userId}")
    static let authentication: Authentication<Caller> = .required

    let typing: TypingService
    let presence: PresenceService

    struct Request: RequestDecodable {
        let owner: OwnerPath
        let room: RoomID
        let isTyping: Bool
        let timeoutMilliseconds: Int64

        init(from input: RequestInput) throws {
            owner = try OwnerPath(from: input)
            room = try input.path("roomId")
            let body = try input.body
            isTyping = try body.required("typing", as: .bool)
            timeoutMilliseconds = try body.optional(
                "timeout", as: .int, default: TypingService.defaultTimeoutMilliseconds)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await typing.set(
            request.isTyping, try request.owner.checked(caller), in: request.room,
            timeoutMilliseconds: request.timeoutMilliseconds)
        if request.isTyping { try await presence.act(UserNumber(caller.userNumber)) }
        return EmptyResponse()
    }
}
