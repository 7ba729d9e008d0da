import Matrix
import Web

/// What a request says that changes somebody else's membership: whose, of which room, why.
struct MembershipRequest: RequestDecodable {
    let roomID: RoomID
    let userID: UserID
    let reason: String?

    init(from input: RequestInput) throws {
        roomID = try input.path("roomId")
        userID = try input.body.required("user_id", as: .identifier)
        reason = try input.body.optional("reason", as: .string)
    }
}
