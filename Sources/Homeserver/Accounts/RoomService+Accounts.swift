import Matrix
import Store

extension RoomService: RoomDeparture, ProfilePropagation {
    /// Has the user leave every room, and decline every invitation.
    public func leaveAllRooms(_ user: UserID) async throws {
        guard let requester = try await requester(user) else { return }
        try await leaveAll(requester)
    }

    /// Puts the user's name and picture into their membership of every room they are joined to.
    public func profileChanged(of user: UserID) async throws {
        guard let requester = try await requester(user) else { return }
        try await profileChanged(requester)
    }

    private func requester(_ user: UserID) async throws -> Requester? {
        try await store.number(of: user).map { Requester(id: user, number: $0) }
    }
}
