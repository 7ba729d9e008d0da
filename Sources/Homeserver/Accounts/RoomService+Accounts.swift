import Matrix
import Store

extension RoomService: RoomDeparture, ProfilePropagation {
    public func leaveAllRooms(_ user: UserID) async throws {
        guard let requester = try await requester(user) else { return }
        try await leaveAll(requester)
    }

    public func profileChanged(of user: UserID) async throws {
        guard let requester = try await requester(user) else { return }
        try await profileChanged(requester)
    }

    private func requester(_ user: UserID) async throws -> Requester? {
        try await store.number(of: user).map { Requester(id: user, number: $0) }
    }
}
