import Matrix
import Store

extension SpaceHierarchy {
    private static let patienceForOneMilliseconds: Int64 = 10_000

    /// What is told of one room to somebody who may come to see it, from here or from other servers.
    ///
    /// [GET /room_summary](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1room_summaryroomidoralias)
    ///
    /// - Parameters:
    ///   - via: Servers that may know it.
    ///   - user: Who asks; `nil` for who is not logged in: they are told of what is open to everybody, and nobody else is asked for them.
    /// - Returns: The room, and the user's membership of it.
    /// - Throws: 404 `M_NOT_FOUND` if there is none, or the user may not see it.
    public func summary(
        of room: RoomID, via: [ServerName], for user: Requester?
    ) async throws -> (room: SpaceRoom, membership: Membership?) {
        let found = try await summary(of: room, via: via, asksOthers: user != nil)
        guard let found else { throw Self.unknown }
        guard let user else {
            guard found.isOpen else { throw Self.unknown }
            return (found, nil)
        }
        guard try await isVisible(found, to: user) else { throw Self.unknown }
        let membership = try await store.read { reader in
            try reader.identifiers.number(of: room).flatMap {
                try reader.memberships.membership(of: user.number, in: $0)?.membership
            }
        }
        return (found, membership ?? .leave)
    }

    private static let unknown = MatrixError.notFound("This room is not known, or you may not see it")

    private func summary(of room: RoomID, via: [ServerName], asksOthers: Bool) async throws -> SpaceRoom? {
        if let (_, summary) = try await localSummary(of: room) { return summary }
        guard asksOthers else { return nil }
        let servers = via + (room.server.map { [$0] } ?? [])
        let answer = await scheduler.within(milliseconds: Self.patienceForOneMilliseconds) {
            await self.remoteSpace(room, via: servers, suggestedOnly: false)
        }
        return answer??.room
    }
}
