import Matrix

/// [m.typing](https://spec.matrix.org/v1.19/server-server-api/#typing-notifications): a user types in a room, or no longer.
struct ReceivedTyping: Sendable {
    let room: RoomID
    let user: UserID
    let isTyping: Bool

    /// Reads a content; `nil` if it is not understood, or not about a user of the server that sends it.
    init?(_ content: JSON, from origin: ServerName) {
        guard let room = content["room_id"]?.string.flatMap({ RoomID($0) }),
            let user = content["user_id"]?.string.flatMap({ UserID($0) }), user.isLocal(to: origin),
            let isTyping = content["typing"]?.bool
        else { return nil }
        self.room = room
        self.user = user
        self.isTyping = isTyping
    }
}
