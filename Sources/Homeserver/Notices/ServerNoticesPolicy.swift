import Matrix

/// Who speaks to users for the server, and how.
public struct ServerNoticesPolicy: Sendable {
    /// The user who speaks.
    public let user: UserID
    /// Their name.
    public let displayName: String
    /// Their picture, and the rooms'.
    public let avatarURL: String?
    /// What the rooms are called.
    public let roomName: String
    /// Whether users are in the room at once, instead of being invited.
    public let joinsRecipients: Bool

    /// A policy; `nil` for what no user can be called.
    ///
    /// - Parameter localpart: The name of the user who speaks.
    public init?(
        localpart: String, server: ServerName, displayName: String, avatarURL: String?, roomName: String,
        joinsRecipients: Bool
    ) {
        guard let user = try? Username.userID(for: localpart, on: server) else { return nil }
        self.user = user
        self.displayName = displayName
        self.avatarURL = avatarURL
        self.roomName = roomName
        self.joinsRecipients = joinsRecipients
    }

    /// Whether a user can be called that.
    public static func accepts(_ localpart: String, on server: ServerName) -> Bool {
        (try? Username.userID(for: localpart, on: server)) != nil
    }
}
